-- publish next: append a run of events to the room's stream, if it is the next one, and publish it.
-- KEYS: log, live channel, page.  ARGV: first version, flags (and a traceparent), entries kept, seconds to live, frame …
-- Answers -1 when the run is in the stream now; else the tip: what lies between must be published first.
local first, flags, keep, ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local last = first + #ARGV - 5
local tip = nil
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then tip = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
if tip then
  if tip >= last then return -1 end
  if tip + 1 < first then return tip end
  first = tip + 1
end
if string.sub(flags, 1, 1) == 'd' or not tip then
  redis.call('DEL', KEYS[1])
  local page = redis.call('HGET', KEYS[3], 'version')
  if page and tonumber(page) < first then redis.call('DEL', KEYS[3]) end
end
local frames = {}
for version = first, last do
  local frame = ARGV[#ARGV - (last - version)]
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', keep, string.format('%d-0', version), 'f', frame)
  frames[#frames + 1] = frame
end
redis.call('EXPIRE', KEYS[1], ttl)
redis.call('SPUBLISH', KEYS[2], string.format('%d %d %s\n', first, last, flags) .. table.concat(frames))
return -1

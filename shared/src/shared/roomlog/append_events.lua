-- Append events: append a batch of events to the stream of a room if it continues the stream, and publish what is new.
-- KEYS: log, live channel, page.
-- ARGV: first version, flags (and a traceparent), entries to keep, time to live in seconds, frame …
-- Returns -1 if the stream now contains the batch. Otherwise there is a gap before the batch: returns the stream head.
local first, flags, keep, ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local last = first + #ARGV - 5
local head = nil
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then head = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
if head then
  if head >= last then return -1 end
  if head + 1 < first then return head end
  first = head + 1
end
-- A deletion restarts the stream, because older entries and pages contain the deleted text.
if string.sub(flags, 1, 1) == 'd' or not head then
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

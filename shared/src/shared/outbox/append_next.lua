-- append next: add entries to a service's stream, if it ends where they begin.
-- KEYS: stream.  ARGV: the stream's last position, then of each entry: position, topic, payload.
-- Answers 1, or 0 where the stream ends elsewhere: another relay was quicker, or the stream fell back.
local tip = '0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then tip = string.match(info[i + 1], '^%d+') end
  end
end
if tip ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'topic', ARGV[i + 1], 'payload', ARGV[i + 2])
end
return 1

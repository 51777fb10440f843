-- Append entries to a service's stream if its head is the expected one.
-- KEYS: stream. ARGV: expected head, then for each entry: position, topic, payload.
-- Returns 1, or 0 if the head differs: another relay was faster, or the stream lost entries.
local head = '0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then head = string.match(info[i + 1], '^%d+') end
  end
end
if head ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'topic', ARGV[i + 1], 'payload', ARGV[i + 2])
end
return 1

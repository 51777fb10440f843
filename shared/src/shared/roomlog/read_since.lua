-- read since: the frames after version c.  KEYS: log.  ARGV: c, how many at the most.
-- Answers {tip, frame …}; tip -1: no stream. No frames with tip > c: the stream does not reach back to c.
local c = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
local answer = {c}
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then answer[1] = tonumber(string.match(info[i + 1], '^%d+')) end
end
if #entries > 0 and entries[1][1] == string.format('%d-0', c + 1) then
  for i = 1, #entries do answer[i + 1] = entries[i][2][2] end
end
return answer

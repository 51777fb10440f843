-- Read after: return the frames after version c.  KEYS: log.  ARGV: c, maximum number of frames.
-- Returns {stream head, frame …}, or {-1} if there is no stream. A head > c without frames means that the stream does
-- not reach back to c.
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

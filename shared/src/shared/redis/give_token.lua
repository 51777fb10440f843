-- Give a token back. KEYS[1]: when the bucket is full again; ARGV: milliseconds per token.
-- Computes the same as shared/rates.py.
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local after = full_at - tonumber(ARGV[1])
if after > now then
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', after - now)
else
  redis.call('DEL', KEYS[1])
end
return 0

-- Take one token. KEYS[1]: when the bucket is full again; ARGV: burst, milliseconds per token.
-- Returns 0, or how many milliseconds to wait. Computes the same as shared/rates.py.
local burst, every = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
local after = math.max(full_at, now) + every
local wait = after - burst * every - now
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', after - now)
return 0

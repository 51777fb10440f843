-- Hold lease: take a lease that is free, or renew one's own. A duration of 0 releases it.
-- KEYS: lease.  ARGV: holder, duration in ms.  Returns 1, or 0 if another holder has the lease.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1

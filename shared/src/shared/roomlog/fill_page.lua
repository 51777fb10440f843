-- Fill page: cache a snapshot of the newest messages, unless the cache has a newer one or the stream starts after it.
-- KEYS: log, page.  ARGV: version, page, time to live in seconds.  Returns 1 if the snapshot was cached, else 0.
local version = tonumber(ARGV[1])
local cached = redis.call('HGET', KEYS[2], 'version')
if cached and tonumber(cached) >= version then return 0 end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if #first > 0 and tonumber(string.match(first[1][1], '^%d+')) > version then return 0 end
redis.call('HSET', KEYS[2], 'version', ARGV[1], 'page', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1

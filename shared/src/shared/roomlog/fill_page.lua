-- fill page: cache a snapshot of the newest messages, unless a newer one is there or it is older than the stream's start.
-- KEYS: log, page.  ARGV: version, page, seconds to live.  Answers 1 when it was taken.
local version = tonumber(ARGV[1])
local kept = redis.call('HGET', KEYS[2], 'version')
if kept and tonumber(kept) >= version then return 0 end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if #first > 0 and tonumber(string.match(first[1][1], '^%d+')) > version then return 0 end
redis.call('HSET', KEYS[2], 'version', ARGV[1], 'page', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1

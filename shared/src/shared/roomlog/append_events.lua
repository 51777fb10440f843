-- Append events: append batches of events to the streams of rooms that they continue, and publish what is new.
-- KEYS, for each batch: log, live channel, page.
-- ARGV: entries to keep, time to live in seconds; for each batch: first version, flags (and a traceparent), number of
-- frames, frame …
-- Returns a number for each batch: -1 if the stream now contains the batch. Otherwise there is a gap before the batch,
-- and the number is the stream head.
local keep, ttl = ARGV[1], ARGV[2]

-- The frames of the batch are ARGV[start] and the following ones.
local function append(log, channel, page_key, first, flags, start, count)
  local last = first + count - 1
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local head = newest and tonumber(string.match(newest[1], '^%d+'))
  local from = first
  if head then
    if head >= last then return -1 end
    if head + 1 < first then return head end
    from = head + 1
  end
  -- A deletion restarts the stream, because older entries and pages contain the deleted text.
  if string.sub(flags, 1, 1) == 'd' or not head then
    redis.call('DEL', log)
    local page = redis.call('HGET', page_key, 'version')
    if page and tonumber(page) < from then redis.call('DEL', page_key) end
  end
  for version = from, last do
    redis.call('XADD', log, 'MAXLEN', '~', keep, string.format('%d-0', version), 'f', ARGV[start + version - first])
  end
  redis.call('EXPIRE', log, ttl)
  local frames = table.concat(ARGV, '', start + from - first, start + count - 1)
  redis.call('SPUBLISH', channel, string.format('%d %d %s\n', from, last, flags) .. frames)
  return -1
end

local results, at = {}, 3
for batch = 1, #KEYS / 3 do
  local first, flags, count = tonumber(ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 2])
  local log, channel, page_key = KEYS[3 * batch - 2], KEYS[3 * batch - 1], KEYS[3 * batch]
  results[batch] = append(log, channel, page_key, first, flags, at + 3, count)
  at = at + 3 + count
end
return results

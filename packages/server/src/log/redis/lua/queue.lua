-- The queues of events for webhooks: a stream, and a hash beside it. Put in front of `append.lua`, and of the scripts of `webhooks/`.
--
-- The hash has `t`, the bytes of all events that were ever added, `r`, those of events that have left it, `d`, how many events were dropped since the last
-- one that fitted, and `a`, how many were dropped in all. Each event has the `t` after it, and the `d` before it; the rest of its fields are the caller's.

local function queueStream(queue) return queue .. ':q' end
local function queueMeta(queue) return queue .. ':m' end

-- Queues that nobody uses any more are kept for so long.
local QUEUE_KEEP = 2592000000
local EVENT_BYTES = 200

-- Adds an event, or drops it where there is no space. Raises nothing: a queue that is damaged concerns no other key.
local function enqueue(queue, maxEvents, maxBytes, dropped, bytes, ...)
  local stream, meta = queueStream(queue), queueMeta(queue)
  local h, length = redis.pcall('HMGET', meta, 't', 'r', 'd', 'a'), redis.pcall('XLEN', stream)
  if h.err or type(length) ~= 'number' then return end
  local t, r, d, a = tonumber(h[1]) or 0, tonumber(h[2]) or 0, (tonumber(h[3]) or 0) + dropped, tonumber(h[4]) or 0
  bytes = bytes + EVENT_BYTES
  if length >= maxEvents or t - r + bytes > maxBytes then
    d, a = d + 1, a + 1
  else
    t = t + bytes
    redis.pcall('XADD', stream, '*', 't', string.format('%.0f', t), 'd', string.format('%.0f', d), ...)
    d = 0
  end
  redis.pcall('HSET', meta, 't', string.format('%.0f', t), 'd', string.format('%.0f', d), 'a', string.format('%.0f', a))
  redis.pcall('PEXPIRE', stream, QUEUE_KEEP)
  redis.pcall('PEXPIRE', meta, QUEUE_KEEP)
end

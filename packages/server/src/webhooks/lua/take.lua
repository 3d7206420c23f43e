-- The events at the front of a queue, for the node that has its lease, which this renews, or begins where no other node has it.
--
-- KEYS: the stream, the hash, the lease. ARGV: the node, the lease in ms, at most so many events, and so many bytes.
-- Answer: '1' where this node has the lease, and else '0' and nothing more; the number of events in the queue, and their bytes; how many were dropped since
-- the last such answer; then for each event its id, its fields `t` and `d`, and four more: `e`, or '' and `p`, `h`, `b` of a message.

local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[1] then return { '0' } end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])

local length = redis.call('XLEN', KEYS[1])
local h = redis.call('HMGET', KEYS[2], 't', 'r', 'a', 'c')
local t, r, a, c = tonumber(h[1]) or 0, tonumber(h[2]) or 0, tonumber(h[3]) or 0, tonumber(h[4]) or 0
if a > c then redis.call('HSET', KEYS[2], 'c', h[3]) end
if length > 0 then
  redis.call('PEXPIRE', KEYS[1], QUEUE_KEEP)
  redis.call('PEXPIRE', KEYS[2], QUEUE_KEEP)
end

local out = { '1', string.format('%.0f', length), string.format('%.0f', t - r), string.format('%.0f', math.max(0, a - c)) }
local most, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local from, count = '-', 0
-- A few at a time: what does not fit is not read for nothing.
while count < most do
  local some = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', math.min(8, most - count))
  for _, entry in ipairs(some) do
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    bytes = bytes - #(fields.e or '') - #(fields.h or '') - #(fields.b or '') - EVENT_BYTES
    if count > 0 and bytes < 0 then return out end
    for _, text in ipairs({ entry[1], fields.t or '0', fields.d or '0', fields.e or '', fields.p or '', fields.h or '', fields.b or '' }) do
      out[#out + 1] = text
    end
    count = count + 1
    from = '(' .. entry[1]
  end
  if #some < 8 then return out end
end
return out

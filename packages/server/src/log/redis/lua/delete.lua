-- Deletes what a log holds. Its head stays for a while and begins anew, later than the old one ended: no position of the old one fits the next of its name.
-- A log in which nothing ever was stays as it is: there is nothing that could be taken for its own.
-- Its keys are removed whatever type of value they hold.
--
-- KEYS: the fence; stream, head, dedup 0, dedup 1.
-- ARGV: generation, the number of the call, the time or '', keep in ms, known b, m, n.
-- Answer: the number of the call, and how many messages went.
if not speaks(KEYS[1], ARGV[1], ARGV[2]) then return redis.error_reply('FENCED another connection speaks for this node, or an earlier call was not done') end
redis.call('HSET', KEYS[1], 'c', ARGV[2])
local known = { b = tonumber(ARGV[5]), m = tonumber(ARGV[6]), n = tonumber(ARGV[7]) }
local now = clock(ARGV[3])
local found, h, least = pcall(findOrBegin, KEYS[2], KEYS[3], known, now)
if not found then
  least = math.max(now, known.m + 1)
  h = { m = least }
end
local isEmpty = found and h.n == 0 and known.n <= 0
local former = false
if isEmpty then former = redis.call('HGET', KEYS[3], 'p') elseif found then former = text(h.m) .. '-' .. text(h.n) end
local origin = isEmpty and h.b or math.max(least, h.m + 1)
local count = redis.pcall('XLEN', KEYS[2])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
save(KEYS[3], { b = origin, m = origin, n = 0, e = 0 }, ARGV[4])
if former then redis.call('HSET', KEYS[3], 'p', former) end
return ARGV[2] .. ' ' .. text(type(count) == 'number' and count or 0)

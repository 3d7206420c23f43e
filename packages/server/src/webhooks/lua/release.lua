-- Removes the events at the front of a queue, up to one that was delivered. May be repeated.
--
-- KEYS: the stream, the hash. ARGV: the first id that stays, and the `t` of the event before it.

redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
local h = redis.call('HMGET', KEYS[2], 't', 'r')
local t, r = tonumber(h[1]) or 0, tonumber(h[2]) or 0
r = redis.call('XLEN', KEYS[1]) == 0 and t or math.max(r, tonumber(ARGV[2]))
redis.call('HSET', KEYS[2], 'r', string.format('%.0f', r))
return 'ok'

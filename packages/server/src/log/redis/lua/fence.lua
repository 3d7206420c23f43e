-- From now on this connection speaks for its node: what an earlier one has sent and Redis has not done yet is never done.
--
-- KEYS: the fence. ARGV: generation, keep in ms.
-- Answer: the generation, and the number of the last call that was done, by whichever connection of the node; 0 where nothing is known of the node.
local last = redis.call('HGET', KEYS[1], 'c')
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'c', last or '0')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return ARGV[1] .. ' ' .. (last or '0')

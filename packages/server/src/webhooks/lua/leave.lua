-- Ends the lease of a node on a queue. KEYS: the lease. ARGV: the node.

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'ok'

-- Deletes a queue. KEYS: the stream, the hash, the lease. Answer: the number of events that were in it.

local length = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return length

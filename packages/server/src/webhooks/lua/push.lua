-- Adds events to a queue (`log/redis/lua/queue.lua`).
--
-- KEYS: the stream, the hash. ARGV: the queue, its limits of events and of bytes; then for each event the number of those that were dropped right before it,
-- its bytes, and its text.

for i = 4, #ARGV, 3 do
  enqueue(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[i]), tonumber(ARGV[i + 1]), 'e', ARGV[i + 2])
end
return 'ok'

-- Notes that a message was deleted, and announces it: `read.lua` gives its tombstone from now on. The text itself leaves Redis with its entry, by length or
-- age.
--
-- KEYS: stream, head, the hash of the positions of deleted messages.
-- ARGV: a word of the caller, the node's time, the time or '', size, ttl, how long the note is kept, the position, the news channel, node, the log's name.
-- Answer: the caller's word, and '1' where the message is kept, else '0'. Where the log is damaged: the caller's word, '?', the key, the error.

local stream, deleted = KEYS[1], KEYS[3]
local careful = math.min(clock(ARGV[3]), tonumber(ARGV[2]))
local size = tonumber(ARGV[4])
local oldest = text(math.max(0, careful - tonumber(ARGV[5]) + 1))
local position = ARGV[7]

local function isBefore(one, other)
  local m, n = split(one)
  local otherM, otherN = split(other)
  return m < otherM or (m == otherM and n < otherN)
end

local function redact()
  local first = firstIn(stream, size, oldest)
  local found = ask('XRANGE', stream, position, position, 'COUNT', 1)[1]
  if not found or not first or isBefore(position, first[1]) then return '0' end
  ask('HSET', deleted, position, position)
  redis.call('PEXPIRE', deleted, ARGV[6])
  -- Of what is not kept any more nothing has to be known: at most twice as many are noted as the log keeps.
  if ask('HLEN', deleted) > 2 * size then
    local all = ask('HVALS', deleted)
    for i = 1, #all do
      if isBefore(all[i], first[1]) then redis.call('HDEL', deleted, all[i]) end
    end
  end
  redis.call('SPUBLISH', ARGV[8], '\29' .. ARGV[9] .. '\31' .. ARGV[10] .. '\31' .. position)
  return '1'
end

local done, result = pcall(redact)
if done then return { ARGV[1], result } end
local key, err = damageIn(result)
return { ARGV[1], '?', key, err }

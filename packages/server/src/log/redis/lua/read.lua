-- A page of a log, oldest first, and where the log begins and ends.
--
-- KEYS: stream, head.
-- ARGV: the node's time, the time or '', ttl, 'after' or 'before', the position ('' for the end of that side), most messages, most bytes.
-- Answer: b, m, n, the position of the oldest message ('' where none is kept), '1' where there is more in that direction;
--         then for each message: position, head, body. One message at least, however long it is.

local stream, head = KEYS[1], KEYS[2]
local careful = math.min(clock(ARGV[2]), tonumber(ARGV[1]))
local oldest = text(math.max(0, careful - tonumber(ARGV[3]) + 1))
local forwards, position = ARGV[4] == 'after', ARGV[5]
local limit, most = tonumber(ARGV[6]), tonumber(ARGV[7])
-- Chunks grow: of long messages few are read in vain.
local chunkSize, LONGEST_CHUNK = 4, 64

local h = find(stream, head, { n = -1 })
local first = redis.call('XRANGE', stream, oldest, '+', 'COUNT', 1)[1]
local function range(from, count)
  if forwards then
    -- What has outlived its time is not read, wherever the reader stands.
    if from == '' or split(from) < tonumber(oldest) then
      return redis.call('XRANGE', stream, oldest, '+', 'COUNT', count)
    end
    return redis.call('XRANGE', stream, '(' .. from, '+', 'COUNT', count)
  end
  return redis.call('XREVRANGE', stream, from == '' and '+' or '(' .. from, oldest, 'COUNT', count)
end

local found = {}
local bytes = 0
local more = false
while #found < limit do
  local wanted = math.min(chunkSize, limit - #found)
  chunkSize = math.min(chunkSize * 2, LONGEST_CHUNK)
  local chunk = range(position, wanted)
  local full = false
  for i = 1, #chunk do
    local entry = chunk[i]
    bytes = bytes + #entry[2][2] + #entry[2][4]
    if bytes > most and #found > 0 then
      full = true
      break
    end
    found[#found + 1] = entry
    position = entry[1]
  end
  if full or #chunk < wanted then
    more = full
    break
  end
end
if not more and #found > 0 then more = #range(position, 1) > 0 end

local out = { h and text(h.b) or '', h and text(h.m) or '', h and text(h.n) or '', first and first[1] or '', more and '1' or '' }
local from, to, step = 1, #found, 1
if not forwards then from, to, step = #found, 1, -1 end
for i = from, to, step do
  local entry = found[i]
  out[#out + 1] = entry[1]
  out[#out + 1] = entry[2][2]
  out[#out + 1] = entry[2][4]
end
return out

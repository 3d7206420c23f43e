-- A page of a log, oldest first, and where the log begins and ends.
--
-- KEYS: stream, head, the hash of the positions of deleted messages.
-- ARGV: a word of the caller, the node's time, the time or '', size, ttl, 'after' or 'before', the position ('' for the end of that side), most messages,
--       most bytes, the body of a tombstone.
-- Answer: the caller's word, b, m, n, the position of the oldest message ('' where none is kept), '1' where there is more in that direction;
--         then for each message: position, head, body. One message at least, however long it is. Where the log is damaged: the caller's word, '?', the key,
--         the error.
--
-- An entry that is not a message, because another program has added it, is skipped. Where it has a number of the log, that number is then missing.

local stream, head = KEYS[1], KEYS[2]
local careful = math.min(clock(ARGV[3]), tonumber(ARGV[2]))
local size = tonumber(ARGV[4])
local oldest = text(math.max(0, careful - tonumber(ARGV[5]) + 1))
local forwards, position = ARGV[6] == 'after', ARGV[7]
local limit, most = tonumber(ARGV[8]), tonumber(ARGV[9])
-- Chunks grow: of long messages few are read in vain.
local chunkSize, LONGEST_CHUNK = 4, 64

-- What every message begins with, before and behind its time. `"payload"` comes first behind the time.
local HEAD, BODY = '{"version":"', '","payload":'
local function isMessage(fields)
  return #fields == 4
    and fields[1] == 'h'
    and fields[3] == 'b'
    and string.sub(fields[2], 1, #HEAD) == HEAD
    and string.sub(fields[4], 1, #BODY) == BODY
end

local function isBefore(one, other)
  local m, n = split(one)
  local otherM, otherN = split(other)
  return m < otherM or (m == otherM and n < otherN)
end

-- The next messages, of those from `first` on: what is not kept any more is not read, wherever the reader is.
local function range(first, from, count)
  if not first then return {} end
  if forwards then
    local isOlder = from == '' or isBefore(from, first[1])
    return ask('XRANGE', stream, isOlder and first[1] or '(' .. from, '+', 'COUNT', count)
  end
  return ask('XREVRANGE', stream, from == '' and '+' or '(' .. from, first[1], 'COUNT', count)
end

local function readPage()
  local h = find(stream, head, { n = -1 })
  local first = firstIn(stream, size, oldest)
  local found = {}
  local bytes = 0
  local more = false
  while #found < limit do
    local wanted = math.min(chunkSize, limit - #found)
    chunkSize = math.min(chunkSize * 2, LONGEST_CHUNK)
    local chunk = range(first, position, wanted)
    local full = false
    for i = 1, #chunk do
      local id, fields = chunk[i][1], chunk[i][2]
      if isMessage(fields) then
        bytes = bytes + #fields[2] + #fields[4]
        if bytes > most and #found > 0 then
          full = true
          break
        end
        found[#found + 1] = chunk[i]
      end
      position = id
    end
    if full or #chunk < wanted then
      more = full
      break
    end
  end
  if not more and #found > 0 then more = #range(first, position, 1) > 0 end

  -- Of most logs nothing was deleted.
  if #found > 0 and redis.call('EXISTS', KEYS[3]) == 1 then
    local ids = {}
    for i = 1, #found do ids[i] = found[i][1] end
    local isDeleted = ask('HMGET', KEYS[3], unpack(ids))
    for i = 1, #found do
      if isDeleted[i] then found[i][2][4] = ARGV[10] end
    end
  end

  local out = {
    ARGV[1],
    h and text(h.b) or '',
    h and text(h.m) or '',
    h and text(h.n) or '',
    first and first[1] or '',
    more and '1' or '',
  }
  local from, to, step = 1, #found, 1
  if not forwards then from, to, step = #found, 1, -1 end
  for i = from, to, step do
    local id, fields = found[i][1], found[i][2]
    out[#out + 1] = id
    out[#out + 1] = fields[2]
    out[#out + 1] = fields[4]
  end
  return out
end

local done, page = pcall(readPage)
if done then return page end
local key, err = damageIn(page)
return { ARGV[1], '?', key, err }

-- Appends of one tick: for each log dedup, numbering, XADD, trimming; and one announcement for each news channel. All of it or nothing, but for logs that
-- are damaged: nothing of theirs is done, and everything of the rest.
--
-- KEYS: the fence; then for each log: stream, head, dedup 0, dedup 1.
-- ARGV: node, generation, number of the call, the node's time, the time or '', dedup window, what a settled append-only file looks like or '' (`disk.lua`);
--       then for each log: its name, news channel, size, ttl, keep (all in ms but size), known b, m, n, and its messages in one text: of each its prints
--       (half of them of the id, half of the content; none where it is not remembered), head and body, each ended by '\30'; the records that it would
--       not be found without and that were written right before: of each the hash, '\31' and the field, each ended by '\30'. Where one is missing, because
--       Redis has refused it, the log is as one that is damaged; the queues (`queue.lua`) that get an event of each new message: of each its name, '\31',
--       its limit of events, '\31' and that of bytes, each ended by '\30'; and most bytes of its stream, or '' for any.
-- Answer: one text, its parts separated by spaces: the number of the call; '1' where what was asked of the append-only file holds, else '0'; for each
--         message '+<ms>-<n>' (appended), '=<ms>-<n>' (it was there already), '!' (other content has that id) or '?' (its log is damaged), in the order
--         of ARGV; then for each log the number of its last message, and how many messages went by length, by age, and by bytes.
--         Behind that for each damaged log '\30', its place among the logs, '\31', the key, '\31', the error.

local fence = KEYS[1]
if not speaks(fence, ARGV[2], ARGV[3]) then return redis.error_reply('FENCED another connection speaks for this node, or an earlier call was not done') end
redis.call('HSET', fence, 'c', ARGV[3])

local now = clock(ARGV[5])
-- A clock that was stepped ahead must not make anything forgotten: expiry uses the lesser of the two.
local careful = math.min(now, tonumber(ARGV[4]))
local window = tonumber(ARGV[6])
-- Redis expires keys by its own clock: a step ahead by less than 30 days takes nothing with it.
local SLACK = 2592000000
local epoch = math.floor(careful / window)
local safe = (ARGV[7] == '' or isOnDisk(ARGV[7])) and '1' or '0'

-- The parts of a text, each ended by '\30'. JSON has neither that character nor the separator of the news.
local function partsOf(whole)
  local parts, start = {}, 1
  local stop = string.find(whole, '\30', start, true)
  while stop do
    parts[#parts + 1] = string.sub(whole, start, stop - 1)
    start = stop + 1
    stop = string.find(whole, '\30', start, true)
  end
  return parts
end

-- What two hashes say of fields, the first before the second. All fields are asked for at once: one by one each would be two commands.
local function recall(young, old, fields)
  local found = {}
  if #fields == 0 then return found end
  local first, second = ask('HMGET', young, unpack(fields)), ask('HMGET', old, unpack(fields))
  for i = 1, #fields do found[fields[i]] = first[i] or second[i] end
  return found
end

-- Raises where one of these records is missing.
local function check(records)
  for i = 1, #records do
    local key, field = string.match(records[i], '^(.*)\31(.*)$')
    if ask('HEXISTS', key, field) == 0 then damaged(key, 'ERR what the log belongs to is not stored') end
  end
end

local out = { ARGV[3], safe }
-- Messages are counted from 0, as the caller counts them.
local BEFORE = #out + 1
local ends = {}
local faults = {}
local news = {}
local NONE = {}

-- What an entry takes beside its texts, about.
local ENTRY_BYTES = 64

local function sizeOf(fields)
  local bytes = ENTRY_BYTES
  for i = 1, #fields do bytes = bytes + #fields[i] end
  return bytes
end

-- Drops the oldest messages of a stream that takes too many bytes, down to fifteen sixteenths: so it is measured rarely. The newest stays, for it has just
-- been accepted. Returns the bytes of the stream, and how many messages went. A Redis that does not measure it leaves it as it is.
local function trimBytes(stream, most)
  local bytes = redis.pcall('MEMORY', 'USAGE', stream, 'SAMPLES', 0)
  if type(bytes) ~= 'number' or bytes <= most then return type(bytes) == 'number' and bytes or 0, 0 end
  local least, dropped, from = most * 15 / 16, 0, '-'
  local length = ask('XLEN', stream)
  while bytes > least and dropped < length - 1 do
    local chunk = ask('XRANGE', stream, from, '+', 'COUNT', 16)
    for i = 1, #chunk do
      if bytes <= least or dropped >= length - 1 then break end
      bytes = bytes - sizeOf(chunk[i][2])
      dropped = dropped + 1
      from = '(' .. chunk[i][1]
    end
  end
  ask('XTRIM', stream, 'MAXLEN', length - dropped)
  return math.max(0, math.ceil(bytes)), dropped
end

-- Appends what is new to one log. Before the first XADD has been done nothing of the log has been changed, and what comes behind it cannot fail.
local function appendTo(k, at, parts)
  local stream, head = KEYS[k], KEYS[k + 1]
  local dedup = { [0] = KEYS[k + 2], [1] = KEYS[k + 3] }
  local name, channel = ARGV[at], ARGV[at + 1]
  local size, ttl, keep = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local known = { b = tonumber(ARGV[at + 5]), m = tonumber(ARGV[at + 6]), n = tonumber(ARGV[at + 7]) }

  if ARGV[at + 9] ~= '' then check(partsOf(ARGV[at + 9])) end
  local h, least = findOrBegin(stream, head, known, now)
  -- New messages go into the hash of this epoch. The other one is that of the epoch before. It is dropped when the next epoch
  -- begins: everything in it is older than the window by then.
  -- Where the head was lost it is not known which is which: both stay, because every entry has its own time.
  h.e = h.e or epoch
  if epoch > h.e then
    redis.call('DEL', dedup[epoch % 2])
    if epoch > h.e + 1 then redis.call('DEL', dedup[h.e % 2]) end
    h.e = epoch
  end
  local young, old = dedup[h.e % 2], dedup[(h.e + 1) % 2]
  local asked = {}
  for i = 1, #parts, 3 do
    local prints = parts[i]
    if prints ~= '' then asked[#asked + 1] = string.sub(prints, 1, #prints / 2) end
  end
  local most = tonumber(ARGV[at + 11])
  local remembered = recall(young, old, asked)
  local fresh = {}
  local queues = ARGV[at + 10] ~= '' and partsOf(ARGV[at + 10]) or NONE
  local added = 0
  local upToN = text(least) .. '-'

  for i = 1, #parts, 3 do
    local prints, first, rest = parts[i], parts[i + 1], parts[i + 2]
    local print, content = string.sub(prints, 1, #prints / 2), string.sub(prints, #prints / 2 + 1)
    local found = remembered[print]
    local position = found and string.match(found, ' (.*)$')
    if found and split(position) + window < careful then found = false end
    if found then
      out[#out + 1] = string.sub(found, 1, #content) == content and '=' .. position or '!'
    else
      local id = upToN .. text(h.n + 1)
      ask('XADD', stream, id, 'h', first, 'b', rest)
      h.m, h.n = least, h.n + 1
      for q = 1, #queues do
        local queue, maxEvents, maxBytes = string.match(queues[q], '^(.*)\31(.*)\31(.*)$')
        enqueue(queue, tonumber(maxEvents), tonumber(maxBytes), 0, #first + #rest, 'p', id, 'h', first, 'b', rest)
      end
      added = added + ENTRY_BYTES + #first + #rest
      if print ~= '' then
        remembered[print] = content .. ' ' .. id
        fresh[#fresh + 1], fresh[#fresh + 2] = print, remembered[print]
      end
      out[#out + 1] = '+' .. id
      local batch = news[channel]
      if batch == nil then
        batch = { ARGV[1] .. '\31' .. ARGV[2] .. '\31' .. ARGV[3] .. '\31' .. safe }
        news[channel] = batch
      end
      batch[#batch + 1] = name .. '\31' .. id .. '\31' .. text(#out - BEFORE) .. '\31' .. first .. '\31' .. rest
    end
  end

  if #fresh > 0 then
    ask('HSET', young, unpack(fresh))
    redis.call('PEXPIRE', young, 2 * window + SLACK)
  end
  -- What is not known, because the head was lost or is from an earlier version, is measured.
  if h.s then h.s = h.s + added elseif most then h.s = most + 1 end
  save(head, h, keep)
  -- One more than are kept: see `firstIn`.
  local byLength = ask('XTRIM', stream, 'MAXLEN', size > 0 and size + 1 or 0)
  local byAge = ask('XTRIM', stream, 'MINID', text(math.max(0, careful - ttl + 1)))
  local byBytes = 0
  if most and h.s > most then
    h.s, byBytes = trimBytes(stream, most)
    redis.call('HSET', head, 's', text(h.s))
  end
  redis.call('PEXPIRE', stream, keep)
  return text(h.n), text(byLength), text(byAge), text(byBytes)
end

local at = 8
for k = 2, #KEYS, 4 do
  local parts = partsOf(ARGV[at + 8])
  local before = #out
  local done, n, byLength, byAge, byBytes = pcall(appendTo, k, at, parts)
  if not done then
    for i = before + 1, before + #parts / 3 do out[i] = '?' end
    local key, err = damageIn(n)
    faults[#faults + 1] = '\30' .. text((k - 2) / 4) .. '\31' .. key .. '\31' .. err
    n, byLength, byAge, byBytes = '0', '0', '0', '0'
  end
  ends[#ends + 1], ends[#ends + 2], ends[#ends + 3], ends[#ends + 4] = n, byLength, byAge, byBytes
  at = at + 12
end

for channel, batch in pairs(news) do
  redis.call('SPUBLISH', channel, table.concat(batch, '\30'))
end
for i = 1, #ends do out[#out + 1] = ends[i] end
return table.concat(out, ' ') .. table.concat(faults)

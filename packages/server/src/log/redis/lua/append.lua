-- Appends of one tick: for each log dedup, numbering, XADD, trimming; and one announcement for each news channel. All of it, or nothing,
-- unless somebody has put another type of value under one of the keys.
--
-- KEYS: the fence; then for each log: stream, head, dedup 0, dedup 1.
-- ARGV: node, generation, number of the call, the node's time, the time or '', dedup window;
--       then for each log: its name, news channel, size, ttl, keep (all in ms but size), known b, m, n, and its messages in one text: of each its prints
--       (half of them of the id, half of the content; none where it is not remembered), head and body, each ended by '\30'.
-- Answer: one text, its parts separated by spaces: for each message '+<ms>-<n>' (appended), '=<ms>-<n>' (it was there already) or '!' (other content has
--         that id), in the order of ARGV; then for each log how many messages went by length, and how many by age.

local fence = KEYS[1]
if not speaks(fence, ARGV[2], ARGV[3]) then return redis.error_reply('FENCED another connection speaks for this node, or an earlier call was not done') end
redis.call('HSET', fence, 'c', ARGV[3])

local now = clock(ARGV[5])
-- A clock that was stepped ahead must not make anything forgotten: what forgets goes by the lesser of the two.
local careful = math.min(now, tonumber(ARGV[4]))
local window = tonumber(ARGV[6])
-- Redis's own clock lets keys go: a step ahead by less than a day takes nothing with it.
local SLACK = 86400000
local epoch = math.floor(careful / window)

-- What stands in a text between the ends of its parts. Neither that character nor the one in the news stands in JSON.
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
  local first, second = redis.call('HMGET', young, unpack(fields)), redis.call('HMGET', old, unpack(fields))
  for i = 1, #fields do found[fields[i]] = first[i] or second[i] end
  return found
end

local out = {}
local trimmed = {}
local news = {}
local at = 7

for k = 2, #KEYS, 4 do
  local stream, head = KEYS[k], KEYS[k + 1]
  local dedup = { [0] = KEYS[k + 2], [1] = KEYS[k + 3] }
  local name, channel = ARGV[at], ARGV[at + 1]
  local size, ttl, keep = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local known = { b = tonumber(ARGV[at + 5]), m = tonumber(ARGV[at + 6]), n = tonumber(ARGV[at + 7]) }
  local parts = partsOf(ARGV[at + 8])
  at = at + 9

  local h, least = findOrBegin(stream, head, known, now)
  -- Of two hashes the one of this epoch takes what is new. The other one is dropped when its turn comes: everything in it is older than the window.
  -- Where the head was lost nobody knows which is which: both stay, for what they hold tells its time itself.
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
  local remembered = recall(young, old, asked)
  local fresh = {}
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
      h.m, h.n = least, h.n + 1
      local id = upToN .. text(h.n)
      redis.call('XADD', stream, id, 'h', first, 'b', rest)
      if print ~= '' then
        remembered[print] = content .. ' ' .. id
        fresh[#fresh + 1], fresh[#fresh + 2] = print, remembered[print]
      end
      out[#out + 1] = '+' .. id
      local batch = news[channel]
      if batch == nil then
        batch = { ARGV[1] .. '\31' .. ARGV[2] .. '\31' .. ARGV[3] }
        news[channel] = batch
      end
      batch[#batch + 1] = name .. '\31' .. id .. '\31' .. text(#out - 1) .. '\31' .. first .. '\31' .. rest
    end
  end

  if #fresh > 0 then
    redis.call('HSET', young, unpack(fresh))
    redis.call('PEXPIRE', young, 2 * window + SLACK)
  end
  save(head, h, keep)
  local byLength = redis.call('XTRIM', stream, 'MAXLEN', size)
  local byAge = redis.call('XTRIM', stream, 'MINID', text(math.max(0, careful - ttl + 1)))
  redis.call('PEXPIRE', stream, keep)
  trimmed[#trimmed + 1], trimmed[#trimmed + 2] = text(byLength), text(byAge)
end

for channel, batch in pairs(news) do
  redis.call('SPUBLISH', channel, table.concat(batch, '\30'))
end
for i = 1, #trimmed do out[#out + 1] = trimmed[i] end
return table.concat(out, ' ')

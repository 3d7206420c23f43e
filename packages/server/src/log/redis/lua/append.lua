-- Appends of one tick: for each log dedup, numbering, XADD, trimming; and one announcement for each news channel. All of it, or nothing.
--
-- KEYS: the fence; then for each log: stream, head, dedup 0, dedup 1.
-- ARGV: node, generation, number of the call, the node's time, the time or '', dedup window;
--       then for each log: its name, news channel, size, ttl, keep (all in ms but size), known b, m, n, count of messages;
--       then for each of them: print of the id ('' where it is not remembered), print of the content, head, body.
-- Answer: for each message '+<ms>-<n>' (appended), '=<ms>-<n>' (it was there already) or '!' (other content has that id), in the order of ARGV;
--         then for each log how many messages went by length and by age, as '<length> <age>'.

local fence = KEYS[1]
if not speaks(fence, ARGV[2], ARGV[3]) then return redis.error_reply('FENCED another connection speaks for this node, or an earlier call was not done') end
redis.call('HSET', fence, 'c', ARGV[3])

local now = clock(ARGV[5])
-- A clock that was stepped ahead must not make anything forgotten: what forgets goes by the lesser of the two.
local careful = math.min(now, tonumber(ARGV[4]))
local window = tonumber(ARGV[6])
local epoch = math.floor(careful / window)

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
  local count = tonumber(ARGV[at + 8])
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
  local remembers = false

  for i = 1, count do
    local print, content, first, rest = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    at = at + 4
    local found = print ~= '' and (redis.call('HGET', young, print) or redis.call('HGET', old, print))
    local position = found and string.match(found, ' (.*)$')
    if found and split(position) + window < careful then found = false end
    if found then
      out[#out + 1] = string.sub(found, 1, #content) == content and '=' .. position or '!'
    else
      h.m, h.n = least, h.n + 1
      local id = text(h.m) .. '-' .. text(h.n)
      redis.call('XADD', stream, id, 'h', first, 'b', rest)
      if print ~= '' then
        redis.call('HSET', young, print, content .. ' ' .. id)
        remembers = true
      end
      out[#out + 1] = '+' .. id
      local batch = news[channel]
      if batch == nil then
        batch = { ARGV[1] .. '\31' .. ARGV[2] .. '\31' .. ARGV[3] }
        news[channel] = batch
      end
      -- These two characters stand in no JSON text.
      batch[#batch + 1] = name .. '\31' .. id .. '\31' .. text(#out - 1) .. '\31' .. first .. '\31' .. rest
    end
  end

  if remembers then redis.call('PEXPIRE', young, 2 * window) end
  save(head, h, keep)
  local byLength = redis.call('XTRIM', stream, 'MAXLEN', size)
  local byAge = redis.call('XTRIM', stream, 'MINID', text(math.max(0, careful - ttl + 1)))
  redis.call('PEXPIRE', stream, keep)
  trimmed[#trimmed + 1] = text(byLength) .. ' ' .. text(byAge)
end

for channel, batch in pairs(news) do
  redis.call('SPUBLISH', channel, table.concat(batch, '\30'))
end
for i = 1, #trimmed do out[#out + 1] = trimmed[i] end
return out

-- What every script knows of a log: its head. Put in front of the others.
--
-- The head of a log is a hash: `b` the time of its origin, `m` and `n` its last position, `e` the epoch of its dedup ('' where that was lost with the head),
-- `s` an upper bound of the bytes of its stream (absent where that is not known), and `p` the last position of the log that was deleted before it, where there was one.
-- Times are whole milliseconds, and numbers in Lua are doubles: they are written with '%.0f'.
--
-- A key that holds something else damages its own log and no other. `ask` and `damaged` raise a text, the key and the error with '\31' between them; a
-- script catches that with `pcall`, log by log. Each reads all keys of a log before it writes the first, so a log that is damaged has not been changed.

local function text(number)
  return string.format('%.0f', number)
end

local function damaged(key, err)
  error(key .. '\31' .. err, 0)
end

-- A command on a key of one log.
local function ask(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then damaged(key, reply.err) end
  return reply
end

-- The key and the error of what was raised, without characters that separate parts of an answer. A fault of a script has no key.
local function damageIn(problem)
  local key, err = string.match(tostring(problem), '^([^\31]*)\31(.*)$')
  return key or '', (string.gsub(err or tostring(problem), '%c', ' '))
end

-- The time that the caller gives, in milliseconds; Redis's clock where it gives none.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function split(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end

-- A whole number that a head holds. More digits than these are no time and no count, and a double would not hold them.
local function whole(key, field)
  if not string.find(field, '^%d+$') or #field > 15 then damaged(key, 'ERR the hash is not the head of a log') end
  return tonumber(field)
end

-- The head as it is stored; rebuilt from the stream where it was lost; or nil where there is no log.
-- `known` is what the caller has seen of it: { b, m, n }, with n = -1 where it has seen nothing.
local function find(stream, head, known)
  local h = ask('HMGET', head, 'b', 'm', 'n', 'e', 's')
  if h[1] then
    local e = h[4] and h[4] ~= '' and whole(head, h[4]) or nil
    return { b = whole(head, h[1]), m = whole(head, h[2] or ''), n = whole(head, h[3] or ''), e = e, s = h[5] and whole(head, h[5]) or nil }
  end
  if redis.call('EXISTS', stream) == 0 then return nil end
  local info = ask('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local m, n = split(info[i + 1])
      if #text(m) > 15 or #text(n) > 15 then damaged(stream, 'ERR the last id of the stream is not a position') end
      local first = ask('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
      local b = first and split(first[1]) or m
      if known.n >= 0 and known.n <= n then b = known.b end
      return { b = b, m = m, n = n }
    end
  end
end

-- The head, of a new log where there was none; and the least time of what comes next. A log that a caller has seen more of than is there has lost its tail,
-- or all: what comes now is later in time than everything that the caller saw, so that no position means two messages.
local function findOrBegin(stream, head, known, now)
  local h = find(stream, head, known)
  if h == nil then
    local b = now
    if known.n >= 0 and known.m >= b then b = known.m + 1 end
    h = { b = b, m = b, n = 0, e = 0, s = 0 }
  end
  local least = math.max(now, h.m)
  if known.n > h.n and known.m >= least then least = known.m + 1 end
  return h, least
end

-- The oldest message that is kept: of no more than `size`, and none from before the time `oldest`. The stream holds one message more than are kept, so that
-- a client that has everything up to there can prove it.
local function firstIn(stream, size, oldest)
  local first = ask('XRANGE', stream, oldest, '+', 'COUNT', 1)[1]
  if not first or size == 0 or ask('XLEN', stream) <= size then return first end
  local two = ask('XRANGE', stream, '-', '+', 'COUNT', 2)
  if two[1][1] == first[1] then return two[2] end
  return first
end

local function save(head, h, keep)
  local e = h.e and text(h.e) or ''
  if h.s then
    ask('HSET', head, 'b', text(h.b), 'm', text(h.m), 'n', text(h.n), 'e', e, 's', text(h.s))
  else
    ask('HSET', head, 'b', text(h.b), 'm', text(h.m), 'n', text(h.n), 'e', e)
  end
  redis.call('PEXPIRE', head, keep)
end

-- True where the caller's connection still speaks for its node, and the call before this one was done: what is refused takes with it what was sent behind
-- it, for else messages would change their order.
local function speaks(fence, generation, call)
  local f = redis.call('HMGET', fence, 'g', 'c')
  return f[1] == generation and tonumber(f[2]) == tonumber(call) - 1
end

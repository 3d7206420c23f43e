-- Looks at logs: where each begins and ends, and which message is at a position. A log that is not there begins, where the caller is its node.
--
-- KEYS: for each log: stream, head.
-- ARGV: a word of the caller, 'begin' or '', the node's time, the time or ''; then for each log: 'all', or 'changed' where it is enough to know that its
--       head is the one that is known; size, ttl, keep, known b, m, n, the position that is asked for ('' for none).
-- Answer: the caller's word; then for each log: b, m, n, the position of the oldest message ('' where none is kept), the head of the message at the
--         position ('' where there is none), the position of the message before the oldest ('' where that is not there any more, or nothing is asked for),
--         and p. b is '' for a log that is not there, '=' for one whose head is the known one, and '?' for one that is damaged: then m is the key and n the
--         error.

local now = clock(ARGV[4])
local careful = math.min(now, tonumber(ARGV[3]))
local begins = ARGV[2] == 'begin'

local function lookAt(k, at)
  local stream, head = KEYS[k], KEYS[k + 1]
  local size, ttl, keep = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local known = { b = tonumber(ARGV[at + 4]), m = tonumber(ARGV[at + 5]), n = tonumber(ARGV[at + 6]) }
  local asked = ARGV[at + 7]
  local h = find(stream, head, known)
  if ARGV[at] == 'changed' and h and h.b == known.b and h.m == known.m and h.n == known.n then return { '=', '', '', '', '', '', '' } end
  -- The stream before the head is written: where it is damaged, nothing is.
  local oldest = firstIn(stream, size, text(math.max(0, careful - ttl + 1)))
  local entry = asked ~= '' and ask('XRANGE', stream, asked, asked)[1]
  local gone = asked ~= '' and oldest and ask('XREVRANGE', stream, '(' .. oldest[1], '-', 'COUNT', 1)[1]
  if begins then
    h = h or findOrBegin(stream, head, known, now)
    save(head, h, keep)
    redis.call('PEXPIRE', stream, keep)
  end
  return {
    h and text(h.b) or '',
    h and text(h.m) or '',
    h and text(h.n) or '',
    oldest and oldest[1] or '',
    entry and entry[2][2] or '',
    gone and gone[1] or '',
    asked ~= '' and redis.call('HGET', head, 'p') or '',
  }
end

local out = { ARGV[1] }
local at = 5
for k = 1, #KEYS, 2 do
  local done, found = pcall(lookAt, k, at)
  if not done then
    local key, err = damageIn(found)
    found = { '?', key, err, '', '', '', '' }
  end
  for i = 1, 7 do out[#out + 1] = found[i] end
  at = at + 8
end
return out

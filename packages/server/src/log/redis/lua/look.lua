-- Looks at logs: where each begins and ends, and what stands at a position. A log that is not there begins, where the caller is its node.
--
-- KEYS: for each log: stream, head.
-- ARGV: 'begin' or '', the node's time, the time or ''; then for each log: ttl, keep, known b, m, n, the position that is asked for ('' for none).
-- Answer: for each log: b, m, n, the position of the oldest message ('' where none is kept), the head of the message at the position ('' where there is none).
--         b is '' for a log that is not there.

local now = clock(ARGV[3])
local careful = math.min(now, tonumber(ARGV[2]))
local out = {}
local at = 4

for k = 1, #KEYS, 2 do
  local stream, head = KEYS[k], KEYS[k + 1]
  local ttl, keep = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local known = { b = tonumber(ARGV[at + 2]), m = tonumber(ARGV[at + 3]), n = tonumber(ARGV[at + 4]) }
  local asked = ARGV[at + 5]
  at = at + 6
  local h
  if ARGV[1] == 'begin' then
    h = find(stream, head, known) or findOrBegin(stream, head, known, now)
    save(head, h, keep)
    redis.call('PEXPIRE', stream, keep)
  else
    h = find(stream, head, known)
  end
  local oldest = redis.call('XRANGE', stream, text(math.max(0, careful - ttl + 1)), '+', 'COUNT', 1)[1]
  local entry = asked ~= '' and redis.call('XRANGE', stream, asked, asked)[1]
  out[#out + 1] = h and text(h.b) or ''
  out[#out + 1] = h and text(h.m) or ''
  out[#out + 1] = h and text(h.n) or ''
  out[#out + 1] = oldest and oldest[1] or ''
  out[#out + 1] = entry and entry[2][2] or ''
end
return out

-- Whether what is written now is on disk when it is answered, as far as the append-only file goes. Put in front of `append.lua`.
--
-- From the moment when an append-only file is switched on until its first rewrite has ended, nothing that is written survives a kill: the file is not
-- part of what a restart loads. Redis shows that as a rewrite that is under way or waits. A later rewrite, of a file that was settled before, looks the
-- same and loses nothing. `settled` is how Redis looked when no rewrite was under way: the same replication id and the same count of CONFIG SET mean that
-- neither the role has changed nor has anybody switched the file off and on since.

local function has(info, line)
  return string.find(info, line, 1, true) ~= nil
end

local function isOnDisk(settled)
  local info = redis.pcall('INFO', 'persistence')
  if type(info) ~= 'string' or not has(info, 'aof_enabled:1') or not has(info, 'aof_last_write_status:ok') then return false end
  if has(info, 'aof_rewrite_in_progress:0') and has(info, 'aof_rewrite_scheduled:0') then return true end
  info = redis.pcall('INFO', 'replication', 'commandstats')
  if type(info) ~= 'string' then return false end
  local is = (string.match(info, 'master_replid:(%w*)') or '')
    .. ';' .. (string.match(info, 'cmdstat_config|set:([^\r\n]*)') or '')
    .. ';' .. (string.match(info, 'cmdstat_config|resetstat:([^\r\n]*)') or '')
  return is == settled
end

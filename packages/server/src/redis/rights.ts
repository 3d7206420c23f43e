/**
 * What the bus does in Redis, as rights of the user that it logs in as. They are checked at each connect, all at once:
 * a right that is missing would show at the first message that needs it, and scripts cannot say then which it was.
 */
import type { Redis } from 'ioredis'
import { keyOf, newsChannelOf } from './keys.ts'

const KEY = keyOf('@rights')
const CHANNEL = newsChannelOf('@rights')

/** Every command that the bus sends, in its shortest form. */
const needed: readonly (readonly string[])[] = [
  ['ping'],
  ['info'],
  ['time'],
  ['wait', '0', '0'],
  ['eval', '', '1', KEY],
  ['evalsha', '', '1', KEY],
  ['script', 'load', ''],
  ['ssubscribe', CHANNEL],
  ['sunsubscribe', CHANNEL],
  ['spublish', CHANNEL, ''],
  ['get', KEY],
  ['set', KEY, ''],
  ['incr', KEY],
  ['del', KEY],
  ['exists', KEY],
  ['pexpire', KEY, '1'],
  ['hget', KEY, ''],
  ['hmget', KEY, ''],
  ['hset', KEY, '', ''],
  ['hsetnx', KEY, '', ''],
  ['hdel', KEY, ''],
  ['hlen', KEY],
  ['hexists', KEY, ''],
  ['hscan', KEY, '0'],
  ['hvals', KEY],
  ['xadd', KEY, '*', '', ''],
  ['xlen', KEY],
  ['xtrim', KEY, 'MAXLEN', '1'],
  ['xrange', KEY, '-', '+'],
  ['xrevrange', KEY, '+', '-'],
  ['xinfo', 'stream', KEY],
  ['zadd', KEY, '0', ''],
  ['zrem', KEY, ''],
  ['zremrangebyscore', KEY, '0', '0'],
  ['zrevrangebyscore', KEY, '0', '0'],
]

/** As a rule of an ACL names it: commands with subcommands need that of theirs only. */
const nameOf = ([command = '', sub = '']: readonly string[]): string =>
  command === 'script' || command === 'xinfo' ? `${command}|${sub}` : command

/** The user of the connection may not run some commands, or not on the keys and channels of the bus. */
export class MissingRights extends Error {
  readonly code = 'noperm'
  readonly commands: string
  constructor(commands: readonly string[]) {
    super('the user of this connection may not run this, or not on keys and channels that begin with arqon:')
    this.commands = commands.join(', ')
  }
}

/**
 * Asks for each of these whether the user may run it. A command that Redis does not know raises an error: it is
 * skipped.
 */
const ASK = `
local missing = {}
for _, line in ipairs(ARGV) do
  local known, allowed = pcall(redis.acl_check_cmd, unpack(cjson.decode(line)))
  if known and not allowed then missing[#missing + 1] = line end
end
return missing`

/** Throws where a right is missing. */
export async function checkRights(redis: Redis, waitsForDisk: boolean): Promise<void> {
  const asked = waitsForDisk ? [...needed, ['waitaof', '0', '0', '0']] : needed
  const missing = (await redis.eval(ASK, 0, ...asked.map((words) => JSON.stringify(words)))) as string[]
  if (missing.length > 0) throw new MissingRights(missing.map((line) => nameOf(JSON.parse(line))))
}

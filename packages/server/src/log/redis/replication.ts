/**
 * What is waited for behind a call, where `ARQONBUS_REDIS_REPLICAS` asks for it: that replicas have it (`WAIT`), and,
 * where the level is `disk`, that Redis says of this very call that it is synced (`WAITAOF`). The second only ever
 * lowers a level: a Redis whose append-only file was switched off while it runs is found out at the next call, not at
 * the next look. It raises none, because under `everysec` servers are known that say so before they have synced
 * (redis/redis#13793; Valkey 8.0.1).
 */
import type { Redis } from 'ioredis'
import { isReply } from '../../redis/faults.ts'
import type { AppendDurability } from '../contract.ts'
import type { RedisLogStoreOptions } from './store-options.ts'

/** How much of the timeout replicas have, and the sync: together less than a connection has to answer a ping. */
const REPLICAS_SHARE = 1 / 2
const SYNC_SHARE = 1 / 8

/**
 * Waits on the connection of the call, behind it: there Redis speaks of that call. The level is undefined where it is
 * the one that Redis promises now.
 */
export async function waitBehind(
  commands: Redis,
  wanted: Pick<RedisLogStoreOptions, 'replicas' | 'timeoutMs' | 'link'>,
): Promise<AppendDurability> {
  if (wanted.replicas === 0) return {}
  const { guarantees } = wanted.link
  const [replicas, isSynced] = await Promise.all([
    commands.wait(wanted.replicas, Math.ceil(wanted.timeoutMs * REPLICAS_SHARE)),
    guarantees.level !== 'disk' || !guarantees.canWaitForDisk || isSyncedIn(commands, wanted.timeoutMs * SYNC_SHARE),
  ])
  return { replicas, level: isSynced ? undefined : 'stored' }
}

/** False also where Redis says that it has no append-only file any more. */
async function isSyncedIn(commands: Redis, ms: number): Promise<boolean> {
  try {
    const [local] = (await commands.call('WAITAOF', 1, 0, Math.ceil(ms))) as [number, number]
    return local === 1
  } catch (problem) {
    if (isReply(problem)) return false
    throw problem
  }
}

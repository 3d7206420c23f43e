/**
 * What Redis promises of what it says that it has: read from its own configuration, and never more than is true
 * (docs/protocol.md#acknowledgement).
 */
import type { DurabilityLevel } from '@arqonbus/protocol'
import type { Redis } from 'ioredis'
import { UnfitRedis, UnreadableReply } from './faults.ts'

/** What a write that Redis has answered is safe from. */
export type Guarantees = {
  readonly level: DurabilityLevel
  /** Replicas that are connected now. */
  readonly replicas: number
  /** Whether there is WAITAOF (from 7.2 on). */
  readonly canWaitForDisk: boolean
  /**
   * The replication id and the statistics of CONFIG SET and CONFIG RESETSTAT at a time without a rewrite of the
   * append-only file. While they are unchanged, the role has not changed and the file was not switched off and on, so a
   * rewrite is one of a settled file and loses nothing. '' where the file was not settled, or Redis does not count
   * commands.
   */
  readonly settledAs: string
  /** Which process it is: another one may have lost what was stored. */
  readonly runId: string
  /** Memory that it uses, and the most that it may use: 0 where that has no limit. */
  readonly usedBytes: number
  readonly maxBytes: number
  /** Redis's clock, in milliseconds. */
  readonly timeMs: number
  /** Its configuration, and the state (as in `settledAs`) in which that was read. */
  readonly config: ReadonlyMap<string, string>
  readonly configOf: string
}

const SECTIONS = ['server', 'replication', 'persistence', 'memory', 'cluster', 'commandstats']

/**
 * Asks. Throws where this Redis takes no writes: it loads, or follows another. With the answer of the same connection
 * `before`, the configuration is read only after a CONFIG SET.
 */
export async function readGuarantees(redis: Redis, before?: Guarantees): Promise<Guarantees> {
  const info = infoIn(await redis.info(...SECTIONS))
  refuseUnfit(info)
  if (info('role') !== 'master') throw new Error('READONLY this Redis follows another')
  if (info('loading') === '1' || info('async_loading') === '1') throw new Error('LOADING')
  const look = lookOf(info)
  const config = before !== undefined && look !== '' && look === before.configOf ? before.config : await configOf(redis)
  const isSettled = info('aof_rewrite_in_progress') === '0' && info('aof_rewrite_scheduled') === '0'
  // What begins while a rewrite is under way may be the first of a file that was just switched on.
  const settledAs = isSettled || (look !== '' && look === before?.settledAs) ? look : ''
  return {
    level: levelOf(info, config, isSettled || settledAs !== ''),
    replicas: Number(info('connected_slaves') ?? 0),
    canWaitForDisk: isAtLeast(versionOf(info), 7, 2),
    settledAs,
    runId: info('run_id') ?? '',
    usedBytes: Number(info('used_memory') ?? 0),
    maxBytes: Number(info('maxmemory') ?? 0),
    timeMs: Math.floor(Number(info('server_time_usec') ?? Number.NaN) / 1000),
    config,
    configOf: look,
  }
}

/** Throws where the bus cannot use this Redis. Sharded announcements came with 7.0. */
function refuseUnfit(info: Info): void {
  if (info('cluster_enabled') === '1') throw new UnfitRedis('redis_cluster')
  if ((info('redis_mode') ?? info('server_mode')) === 'sentinel') throw new UnfitRedis('redis_sentinel')
  if (!isAtLeast(versionOf(info), 7, 0)) throw new UnfitRedis('redis_too_old', versionOf(info))
}

const versionOf = (info: Info): string => info('redis_version') ?? '0'

type Info = (name: string) => string | undefined

/**
 * Changes with the role and with each CONFIG SET; `disk.lua` builds the same text. '' where Redis does not count
 * commands.
 */
function lookOf(info: Info): string {
  if (info('cmdstat_info') === undefined) return ''
  return ['master_replid', 'cmdstat_config|set', 'cmdstat_config|resetstat'].map((name) => info(name) ?? '').join(';')
}

/**
 * One that evicts keys may remove anything at any moment, so no more than `memory` is promised. `disk` takes an
 * append-only file that is synced before each answer, also while it is rewritten, that could be written the last time,
 * and that a restart would load.
 */
function levelOf(info: Info, config: ReadonlyMap<string, string>, isSettled: boolean): DurabilityLevel {
  const policy = config.get('maxmemory-policy') ?? info('maxmemory_policy')
  if (policy !== 'noeviction') return 'memory'
  const isSynced =
    isSettled &&
    info('aof_enabled') === '1' &&
    config.get('appendonly') === 'yes' &&
    config.get('appendfsync') === 'always' &&
    config.get('no-appendfsync-on-rewrite') === 'no' &&
    info('aof_last_write_status') === 'ok'
  return isSynced ? 'disk' : 'stored'
}

/** The settings that matter; none where asking is not allowed, as with hosts that run Redis for others. */
async function configOf(redis: Redis): Promise<ReadonlyMap<string, string>> {
  try {
    const names = ['append*', 'no-appendfsync-on-rewrite', 'maxmemory-policy']
    const flat = await redis.call('CONFIG', 'GET', ...names)
    if (!Array.isArray(flat) || flat.length % 2 !== 0) throw new UnreadableReply('no settings', flat)
    return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : [])) as [string, string][])
  } catch (problem) {
    if (/unknown command|NOPERM|not allowed/i.test(String(problem))) return new Map()
    throw problem
  }
}

/** Reads `name:value` lines. */
function infoIn(text: unknown): Info {
  if (typeof text !== 'string' || !text.includes('redis_version:'))
    throw new UnreadableReply('not what INFO says', text)
  return (name) => {
    const start = text.indexOf(`\n${name}:`)
    if (start < 0) return undefined
    const end = text.indexOf('\r', start)
    return text.slice(start + name.length + 2, end < 0 ? undefined : end)
  }
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** What Redis promises of what it says that it has: read from its own configuration, and never more than is true (protocol §5). */
import type { DurabilityLevel } from '@arqonbus/protocol'
import type { Redis } from 'ioredis'

/** What a write that Redis has answered is safe from. */
export type Guarantees = {
  readonly level: DurabilityLevel
  /** Replicas that are connected now. */
  readonly replicas: number
  /** Whether there is WAITAOF (from 7.2 on). */
  readonly canWaitForDisk: boolean
}

/** Asks. Throws where this Redis takes no writes: it loads, or follows another. */
export async function readGuarantees(redis: Redis): Promise<Guarantees> {
  const info = fieldsOf(await redis.info())
  if (info.get('role') !== 'master') throw new Error('READONLY this Redis follows another')
  if (info.get('loading') === '1' || info.get('async_loading') === '1') throw new Error('LOADING')
  const version = info.get('redis_version') ?? '0'
  if (!isAtLeast(version, 7, 0)) throw new TooOld(version)
  return {
    level: levelOf(info, await configOf(redis)),
    replicas: Number(info.get('connected_slaves') ?? 0),
    canWaitForDisk: isAtLeast(version, 7, 2),
  }
}

/** Sharded announcements came with 7.0. */
class TooOld extends Error {
  readonly code = 'redis_too_old'
  constructor(version: string) {
    super(`Redis ${version} is older than 7.0`)
  }
}

/**
 * One that evicts keys may let go anything at any moment, so nobody is promised more than memory. `disk` takes an append-only file that is synced before
 * each answer, also while it is rewritten, and that could be written the last time.
 */
function levelOf(info: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): DurabilityLevel {
  const policy = config.get('maxmemory-policy') ?? info.get('maxmemory_policy')
  if (policy !== 'noeviction') return 'memory'
  const isSynced =
    config.get('appendonly') === 'yes' &&
    config.get('appendfsync') === 'always' &&
    config.get('no-appendfsync-on-rewrite') === 'no' &&
    info.get('aof_last_write_status') === 'ok'
  return isSynced ? 'disk' : 'stored'
}

/** The settings that matter; none where asking is not allowed, as with hosts that run Redis for others. */
async function configOf(redis: Redis): Promise<ReadonlyMap<string, string>> {
  try {
    const flat = (await redis.call(
      'CONFIG',
      'GET',
      'append*',
      'no-appendfsync-on-rewrite',
      'maxmemory-policy',
    )) as string[]
    return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : [])) as [string, string][])
  } catch (problem) {
    if (/unknown command|NOPERM|not allowed/i.test(String(problem))) return new Map()
    throw problem
  }
}

/** `name:value` lines. */
function fieldsOf(info: string): ReadonlyMap<string, string> {
  return new Map(
    info
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

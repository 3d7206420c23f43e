/** Faults of the append-only file while the bus relies on it. */
import type { Fault, Running } from '../../../support/harness/fault.ts'

/** Delays the rewrite of each key: the first rewrite of a file takes longer than publishing. */
const KEY_DELAY_MICROSECONDS = '200000'

/** The time after which the bus has queried the level of Redis again. */
const LOOKED_MS = 1500

/** Only messages with the level `disk` must survive a kill of this Redis. */
const onDisk: Pick<Fault, 'isKept' | 'mayBreak' | 'isWhole'> = {
  mayBreak: true,
  isWhole: true,
  isKept: ({ durability }) => durability === 'disk',
}

async function switchFile({ redis }: Running, to: 'yes' | 'no'): Promise<void> {
  await redis.command('CONFIG', 'SET', 'appendonly', to)
}

/** Kills Redis, and starts it again with its file once the bus has noticed. */
async function restart({ redis, counted }: Running): Promise<void> {
  const noticed = counted('storage_unavailable', 10)
  await redis.kill()
  await noticed
  await redis.restart({ appendonly: 'yes' })
}

export const diskFaults: readonly Fault[] = [
  {
    name: 'a kill -9 of a Redis whose append-only file was just switched on loses nothing acknowledged as `disk`',
    level: 'stored',
    redis: { appendfsync: 'always', config: { appendonly: 'no', 'rdb-key-save-delay': KEY_DELAY_MICROSECONDS } },
    ...onDisk,
    mustSee: ['acknowledged as stored', 'acknowledged as disk', 'storage_unavailable'],
    async inject(run) {
      await switchFile(run, 'no')
      await run.acknowledged(20)
      await switchFile(run, 'yes')
      await Promise.all([run.acknowledged(50 + run.random.below(300)), Bun.sleep(run.random.below(2) * LOOKED_MS)])
      await restart(run)
    },
  },
  {
    name: 'a kill -9 of a Redis that rewrites an established append-only file loses nothing acknowledged as `disk`',
    level: 'disk',
    redis: { appendfsync: 'always', config: { 'rdb-key-save-delay': KEY_DELAY_MICROSECONDS } },
    mustSee: ['acknowledged as disk', 'storage_unavailable'],
    async inject(run) {
      await run.redis.command('BGREWRITEAOF')
      await run.acknowledged(50 + run.random.below(300))
      await restart(run)
    },
  },
]

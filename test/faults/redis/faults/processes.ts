/** Processes that are killed, replaced, or overloaded by clients. */
import type { Fault, Running } from '../../../support/harness/fault.ts'

/** Kills Redis and starts it again once the bus has noticed. */
async function restartRedis({ redis, counted }: Running): Promise<void> {
  const noticed = Promise.all([counted('storage_unavailable', 10), counted('provisional')])
  await redis.kill()
  await noticed
  await redis.restart()
}

/** Enough time for two syncs of a Redis that syncs every second. */
const SYNCED_MS = 2000

/** The number of clients that reconnect at once, in a long run and in a short one. */
const extraSubscribers = (isLong: boolean) => (isLong ? 2000 : 200)

/** Faults of Valkey instead of Redis. */
export const valkeyFaults: readonly Fault[] = [
  {
    name: 'a kill -9 of a Valkey that syncs always loses nothing acknowledged as `disk`',
    level: 'disk',
    redis: { program: 'valkey-server', appendfsync: 'always' },
    mustSee: ['acknowledged', 'storage_unavailable', 'provisional'],
    isIsolated: true,
    inject: restartRedis,
  },
]

export const processFaults: readonly Fault[] = [
  {
    name: 'a kill -9 of the server loses nothing that was stored, and clients notice only the wait',
    level: 'stored',
    mustSee: ['acknowledged', 'disconnected 1006'],
    async inject(run) {
      await run.bus.stop('SIGKILL')
      await run.startBus()
    },
  },
  {
    name: 'a kill -9 of one of two nodes loses nothing, and clients of the other node are not affected',
    level: 'stored',
    nodes: 2,
    isIsolated: true,
    mustSee: ['acknowledged', 'disconnected 1006'],
    async inject(run) {
      await run.bus.stop('SIGKILL')
      await run.startBus()
    },
  },
  {
    name: 'a kill -9 of a Redis that syncs always loses nothing acknowledged as `disk`',
    level: 'disk',
    redis: { appendfsync: 'always' },
    mustSee: ['acknowledged', 'storage_unavailable', 'provisional'],
    isIsolated: true,
    inject: restartRedis,
  },
  {
    name: 'a kill -9 of a Redis that syncs every second loses only the last seconds, and every gap is announced',
    level: 'stored',
    mayBreak: true,
    isKept: (acknowledgement, run) => !run.isDuringFault(acknowledgement, SYNCED_MS),
    mustSee: ['acknowledged', 'storage_unavailable'],
    inject: restartRedis,
  },
  {
    name: 'a kill -9 of server and Redis loses nothing acknowledged as `disk`',
    level: 'disk',
    redis: { appendfsync: 'always' },
    mustSee: ['acknowledged', 'disconnected 1006'],
    async inject(run) {
      await Promise.all([run.bus.stop('SIGKILL'), run.redis.kill()])
      await run.redis.restart()
      await run.startBus()
    },
  },
  {
    name: 'a server that starts before its Redis serves once Redis is there, and every client keeps its identity',
    level: 'disk',
    redis: { appendfsync: 'always' },
    mustSee: ['acknowledged', 'disconnected 1013'],
    async inject(run) {
      await Promise.all([run.bus.stop('SIGKILL'), run.redis.kill()])
      await run.startBus()
      await run.counted('disconnected 1013', 10)
      await run.redis.restart()
    },
  },
  {
    name: 'a rolling restart under load loses nothing and refuses nothing permanently',
    level: 'stored',
    settings: { ARQONBUS_DRAIN_TIMEOUT: '2s' },
    mustSee: ['acknowledged', 'disconnected 1012'],
    async inject(run) {
      const before = run.bus
      await run.startBus()
      await before.stop('SIGTERM')
    },
  },
  {
    name: 'many clients that are cut at once reconnect and recover, and other clients are not affected',
    level: 'stored',
    extraSubscribers,
    isIsolated: true,
    mustSee: ['acknowledged', 'disconnected 1006'],
    async inject(run) {
      const back = run.counted('connected', extraSubscribers(run.isLong))
      run.extraProxy.cut()
      await back
    },
  },
]

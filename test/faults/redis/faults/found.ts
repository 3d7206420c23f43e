/** Channels, rooms, sessions and inboxes that are new when something is killed: what is acknowledged in them is found. */
import type { Fault, Running } from '../../../support/rig/fault.ts'

const onDisk = { level: 'disk', redis: { appendfsync: 'always' }, births: true, mail: true } as const

const killBus = async (run: Running) => {
  await run.bus.stop('SIGKILL')
  await run.startBus()
}

export const foundFaults: readonly Fault[] = [
  {
    ...onDisk,
    name: 'a kill -9 of the bus loses no channel, room, session or inbox in which something was acknowledged',
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
  {
    ...onDisk,
    name: 'neither does one where messages alone are kept',
    settings: { ARQONBUS_PERSIST: 'messages' },
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
  {
    ...onDisk,
    name: 'neither does a kill -9 of Redis',
    mustSee: ['acknowledged', 'storage_unavailable'],
    async inject({ redis, counted }) {
      const noticed = counted('storage_unavailable', 10)
      await redis.kill()
      await noticed
      await redis.restart()
    },
  },
  {
    ...onDisk,
    name: 'neither does a kill -9 of both, after which the bus starts first',
    mustSee: ['acknowledged', 'disconnected 1013'],
    async inject(run) {
      await Promise.all([run.bus.stop('SIGKILL'), run.redis.kill()])
      await run.startBus()
      await run.counted('disconnected 1013', 10)
      await run.redis.restart()
    },
  },
  {
    ...onDisk,
    name: 'neither does a kill -9 of one of two buses that share new channels',
    nodes: 2,
    mail: false,
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
]

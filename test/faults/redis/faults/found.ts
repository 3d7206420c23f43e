/** New channels, rooms, sessions and inboxes when a process is killed: acknowledged messages in them are found. */
import type { Fault, Running } from '../../../support/harness/fault.ts'

const onDisk = { level: 'disk', redis: { appendfsync: 'always' }, newChannels: true, mail: true } as const

const killBus = async (run: Running) => {
  await run.bus.stop('SIGKILL')
  await run.startBus()
}

export const foundFaults: readonly Fault[] = [
  {
    ...onDisk,
    name: 'a kill -9 of the server loses no channel, room, session or inbox with an acknowledged message',
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
  {
    ...onDisk,
    name: 'with ARQONBUS_PERSIST=messages a kill -9 of the server loses nothing that holds an acknowledged message',
    settings: { ARQONBUS_PERSIST: 'messages' },
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
  {
    ...onDisk,
    name: 'a kill -9 of Redis loses no channel, room, session or inbox with an acknowledged message',
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
    name: 'a kill -9 of server and Redis, with the server back first, loses nothing that holds an acknowledged message',
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
    name: 'a kill -9 of one of two nodes that share new channels loses no channel or room with an acknowledged message',
    nodes: 2,
    mail: false,
    mustSee: ['acknowledged', 'disconnected 1006'],
    inject: killBus,
  },
]

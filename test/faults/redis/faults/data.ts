/** Faults of the data in Redis while the bus uses it. */
import { eventually, type TestRedis } from '@arqonbus/testing'
import type { Fault, Running } from '../../../support/harness/fault.ts'

/** Losses that are notified; if the fault is injected twice in a run, they are notified each time. */
const lostTail: Pick<Fault, 'mayBreak' | 'isKept'> = {
  mayBreak: true,
  isKept: (acknowledgement, run) => !run.isDuringFault(acknowledgement, 0),
}

/**
 * Lists the entries of all logs and empties Redis, atomically: a message that is sent again afterwards has two
 * positions.
 */
const TAKE_DOWN_AND_FLUSH = `
  local found = {}
  for _, key in ipairs(redis.call('KEYS', 'arqon:1:*:lab:*:s')) do
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      found[#found + 1] = { key, entry[1], entry[2][2] .. entry[2][4] }
    end
  end
  redis.call('FLUSHALL')
  return found
`

async function flushAll({ redis, record }: Running): Promise<void> {
  const found = (await redis.command('EVAL', TAKE_DOWN_AND_FLUSH, 0)) as [key: string, position: string, text: string][]
  for (const [key, position, text] of found) {
    const channel = /lab:[^:]+(?=:s$)/.exec(key)
    const id = /"id": *"([^"]+)"/.exec(text)
    if (channel === null || id === null) throw new Error(`${key} at ${position} is not a message: ${text}`)
    record.history.push({ process: 'redis', f: 'stood', channel: channel[0], id: id[1]!, position })
  }
}

export const dataFaults: readonly Fault[] = [
  {
    name: 'scripts that Redis has lost are loaded again, and no request is refused',
    level: 'stored',
    isIsolated: true,
    mustSee: ['acknowledged'],
    mustNotSee: ['outcome_unknown', 'storage_unavailable'],
    async inject(run) {
      for (let times = 0; times < 3; times++) {
        await run.redis.command('SCRIPT', 'FLUSH')
        await run.acknowledged(20 + run.random.below(50))
      }
    },
  },
  {
    name: 'a full Redis refuses messages, keeps what it has and accepts messages again when there is room',
    level: 'stored',
    redis: { config: { 'maxmemory-policy': 'noeviction' } },
    isIsolated: true,
    mustSee: ['acknowledged', 'storage_unavailable'],
    async inject(run) {
      const refused = run.counted('storage_unavailable', 10)
      await run.redis.command('CONFIG', 'SET', 'maxmemory', 1)
      await refused
      await run.redis.command('CONFIG', 'SET', 'maxmemory', 0)
    },
  },
  {
    name: 'after FLUSHALL every connected subscriber that misses messages gets a gap notice, and nothing is invented',
    level: 'stored',
    nodes: 2,
    ...lostTail,
    mustSee: ['acknowledged', 'gap'],
    async inject(run) {
      await flushAll(run)
      await run.counted('gap')
    },
  },
  {
    name: 'after FLUSHALL every returning subscriber that misses messages gets a gap notice, and nothing is invented',
    level: 'stored',
    ...lostTail,
    mustSee: ['acknowledged', 'gap', 'disconnected 1006'],
    async inject(run) {
      for (const proxy of [run.busProxy, run.otherProxy]) proxy.cut()
      await flushAll(run)
      await run.counted('gap')
    },
  },
  {
    name: 'when a replica without the tail takes over, every subscriber that had the tail learns that it is gone',
    level: 'stored',
    nodes: 2,
    ...lostTail,
    mustSee: ['acknowledged', 'gap'],
    async inject(run) {
      const [primary, replica] = [run.redis, await run.startRedis({ replicaOf: run.redis })]
      await inSync(primary, replica)
      await replica.command('REPLICAOF', 'NO', 'ONE')
      await run.acknowledged(100)
      run.redisLeadsTo(replica)
      await primary.kill()
      await run.counted('gap')
    },
  },
  {
    name: 'when a replica without the tail takes over, every subscriber that returns later learns that the tail is gone',
    level: 'stored',
    ...lostTail,
    mustSee: ['acknowledged', 'gap', 'disconnected 1006'],
    async inject(run) {
      const [primary, replica] = [run.redis, await run.startRedis({ replicaOf: run.redis })]
      await inSync(primary, replica)
      await replica.command('REPLICAOF', 'NO', 'ONE')
      await run.acknowledged(100)
      await run.bus.stop('SIGKILL')
      run.redisLeadsTo(replica)
      await primary.kill()
      await run.startBus()
      await run.counted('gap')
    },
  },
  {
    name: 'lost heads of channels are rebuilt from their streams',
    level: 'stored',
    nodes: 2,
    isIsolated: true,
    mustSee: ['acknowledged'],
    async inject(run) {
      for (let times = 0; times < 3; times++) {
        const streams = (await run.redis.command('KEYS', 'arqon:1:*:s')) as string[]
        const heads = streams.map((key) => key.replace(/s$/, 'h'))
        const count = await run.redis.command('DEL', ...heads)
        if (Number(count) < run.addresses.length) throw new Error(`there were ${count} heads of channels`)
        await run.acknowledged(20 + run.random.below(50))
      }
    },
  },
]

/** Waits until a replica has everything of its primary. */
async function inSync(primary: TestRedis, replica: TestRedis): Promise<void> {
  await eventually(async () => {
    const info = String(await replica.command('INFO', 'replication'))
    if (!info.includes('master_link_status:up')) throw new Error('the replica has not joined')
    await primary.command('WAIT', 1, 1000)
  })
}

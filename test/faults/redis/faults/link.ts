/** A Redis that runs but does not respond, and a network that fails between it and the bus. */
import type { Fault } from '../../../support/harness/fault.ts'

const TIMEOUT_MS = 500
const settings = { ARQONBUS_REDIS_TIMEOUT: `${TIMEOUT_MS}ms` }

export const linkFaults: readonly Fault[] = [
  {
    name: 'a Redis that stops for longer than the timeout is detected, and messages in flight are settled by their ids',
    level: 'stored',
    nodes: 2,
    settings,
    isIsolated: true,
    mustSee: ['acknowledged', 'outcome_unknown', 'storage_unavailable', 'provisional'],
    async inject(run) {
      const noticed = Promise.all([run.counted('storage_unavailable', 10), run.counted('provisional')])
      run.redis.pause()
      await Promise.all([noticed, Bun.sleep(run.isLong ? 5000 : 3 * TIMEOUT_MS)])
      run.redis.resume()
    },
  },
  {
    name: 'a Redis that stops for less than the timeout delays requests and has no other effect',
    level: 'stored',
    settings: { ARQONBUS_REDIS_TIMEOUT: '1m' },
    isIsolated: true,
    mustNotSee: ['outcome_unknown', 'storage_unavailable', 'provisional'],
    async inject(run) {
      run.redis.pause()
      await Bun.sleep(300)
      run.redis.resume()
    },
  },
  {
    name: 'connections to Redis that are reset again and again lose nothing and store nothing twice',
    level: 'stored',
    nodes: 2,
    isIsolated: true,
    mustSee: ['acknowledged', 'storage_unavailable'],
    async inject(run) {
      for (let cuts = 0; cuts < 5; cuts++) {
        run.redisProxy.cut()
        await run.acknowledged(20 + run.random.below(50))
      }
    },
  },
  {
    name: 'a stalled link to Redis is detected, and messages in flight are stored once or not at all',
    level: 'stored',
    settings,
    isIsolated: true,
    mustSee: ['acknowledged', 'outcome_unknown', 'storage_unavailable', 'provisional'],
    async inject(run) {
      const noticed = Promise.all([run.counted('storage_unavailable', 10), run.counted('provisional')])
      run.redisProxy.stall()
      await Promise.all([noticed, Bun.sleep(3 * TIMEOUT_MS)])
      run.redisProxy.flow()
    },
  },
  {
    name: 'a connection that Redis ends by CLIENT KILL is restored, and nothing is lost',
    level: 'stored',
    nodes: 2,
    isIsolated: true,
    mustSee: ['acknowledged'],
    async inject(run) {
      for (const type of ['normal', 'pubsub', 'normal']) {
        await run.redis.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
        await run.acknowledged(20 + run.random.below(50))
      }
    },
  },
]

/** Keys of Redis that another program has overwritten, and very many channels. */
import { ArqonBusError, type Client, connect } from '@arqonbus/client'
import type { Fault, Running } from '../../../support/harness/fault.ts'

const SPOILT = 'odd:spoilt'

async function publishSpoilt(client: Client): Promise<string> {
  try {
    await client.publish(SPOILT, {}, { ack: 'stored' })
    return 'taken'
  } catch (problem) {
    if (problem instanceof ArqonBusError) return problem.code
    throw problem
  }
}

/**
 * Overwrites each key of a channel in turn and publishes to the channel: that is refused, and accepted again once the
 * key is removed.
 */
async function spoil(run: Running): Promise<void> {
  const client = await connect({ url: run.bus.busUrl, clientId: `spoiler-${run.random.below(1e9)}` })
  const is = async (wanted: string) => {
    const came = await publishSpoilt(client)
    if (came !== wanted) throw new Error(`a publish to ${SPOILT} was ${came}, not ${wanted}`)
  }
  await is('taken')
  const [head] = (await run.redis.command('KEYS', `arqon:1:*:${SPOILT}:h`)) as [string]
  for (const what of ['s', 'h', 'd0', 'd1']) {
    const key = head.replace(/h$/, what)
    await run.redis.command('DEL', key)
    await run.redis.command('SET', key, 'something else')
    for (let times = 0; times < 5; times++) await is('storage_unavailable')
    await run.acknowledged(20 + run.random.below(50))
    await run.redis.command('DEL', key)
    await is('taken')
  }
  await client.close()
}

/** The number of channels, in a long run and in a short one. */
const many = (isLong: boolean) => (isLong ? 50_000 : 5000)
const AT_ONCE = 500

/** Publishes once to each of very many channels. */
async function fill(run: Running): Promise<void> {
  const client = await connect({ url: run.bus.busUrl, clientId: 'filler' })
  for (let first = 0; first < many(run.isLong); first += AT_ONCE) {
    const waits = Array.from({ length: AT_ONCE }, (_, i) =>
      client.publish(`many-${i % 50}:c${first + i}`, {}, { ack: true }),
    )
    await Promise.all(waits)
  }
  await client.close()
}

export const keyFaults: readonly Fault[] = [
  {
    name: 'a key of another type in place of one channel affects no other channel',
    level: 'stored',
    settings: { ARQONBUS_DEDUP_WINDOW: '1h' },
    isIsolated: true,
    mustSee: ['acknowledged'],
    mustNotSee: ['outcome_unknown', 'storage_unavailable', 'provisional'],
    inject: spoil,
  },
  {
    name: 'a short outage with very many channels delays no acknowledgement for long',
    level: 'stored',
    settings: { ARQONBUS_MAX_CHANNELS: '100000' },
    isIsolated: true,
    mustSee: ['acknowledged'],
    prepare: fill,
    async inject(run) {
      for (let cuts = 0; cuts < 3; cuts++) {
        run.redisProxy.cut()
        await run.acknowledged(20 + run.random.below(50))
      }
    },
  },
]

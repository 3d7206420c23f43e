/**
 * A room-wide subscriber does not learn the names of channels from other clients, not even on a bus that has just
 * started.
 */
import { afterAll, expect, test } from 'bun:test'
import { type Client, connect } from '@arqonbus/client'
import { startRedis, withProgram } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../../support/bus-process.ts'
import { until } from '../../support/harness/until.ts'
import { openProxy } from '../../support/tcp-proxy.ts'

const ending: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ending.reverse()) await end()
})

withProgram('redis-server', 'a whole room', () => {
  test('a room-wide subscriber gets the first message of every channel that is created in the room', async () => {
    const redis = await startRedis()
    ending.push(() => redis.stop())
    const bus = await startBusProcess({ settings: { ARQONBUS_REDIS_URL: redis.url } })
    ending.push(() => bus.stop('SIGKILL'))
    const heard: string[] = []
    const listener = await connect({
      url: bus.busUrl,
      on: { message: ({ channel, payload }) => heard.push(`${channel} ${payload.number}`) },
    })
    const publisher = await connect({ url: bus.busUrl })
    ending.push(() => Promise.all([listener.close(), publisher.close()]))
    await listener.join('lab:*')
    const said: string[] = []
    for (let born = 0; born < 50; born++) {
      for (const number of [1, 2]) {
        await publisher.publish(`lab:channel-${born}`, { number }, { ack: 'stored' })
        said.push(`channel-${born} ${number}`)
      }
    }
    await until('the last message', () => heard.includes('channel-49 2'))
    expect(heard).toEqual(said)
  })

  test('a whole room is recovered from a server that has just started and has seen none of its channels', async () => {
    const redis = await startRedis()
    ending.push(() => redis.stop())
    const startBus = async (): Promise<BusProcess> => {
      const bus = await startBusProcess({ settings: { ARQONBUS_REDIS_URL: redis.url } })
      ending.push(() => bus.stop('SIGKILL'))
      return bus
    }
    const first = await startBus()
    const proxy = openProxy(first.busUrl)
    ending.push(() => proxy.close())

    const heard: unknown[] = []
    const gaps: unknown[] = []
    const listener = await connect({
      url: proxy.url,
      clientId: 'listener',
      reconnect: { minDelayMs: 20, maxDelayMs: 100 },
      on: { message: ({ payload }) => heard.push(payload.number), gap: (gap) => gaps.push(gap) },
    })
    ending.push(() => listener.close())
    const publish = async (bus: BusProcess, ...numbers: number[]) => {
      const publisher: Client = await connect({ url: bus.busUrl })
      for (const number of numbers) await publisher.publish('lab:one', { number }, { ack: 'stored' })
      await publisher.close()
    }

    await listener.join('lab:*')
    await publish(first, 1, 2)
    await until('the first messages', () => heard.length === 2)
    await first.stop('SIGKILL')
    const meanwhile = await startBus()
    await publish(meanwhile, 3, 4)
    await meanwhile.stop('SIGKILL')
    const last = await startBus()
    proxy.leadTo(last.busUrl)
    // No other client is connected: the channel is created by the subscriber alone, or not at all.
    await until('the missed messages', () => heard.length === 4)
    await publish(last, 5)
    await until('the new messages', () => heard.includes(5))
    expect(heard).toEqual([1, 2, 3, 4, 5])
    expect(gaps).toEqual([])
  }, 300_000)
})

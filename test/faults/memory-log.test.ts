/**
 * Faults of a bus with the memory log: acknowledged messages reach every subscriber that stays or recovers, or it is
 * notified.
 */
import { afterAll, expect, test } from 'bun:test'
import { type Client, connect, type Gap, type Message } from '@arqonbus/client'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'
import { openProxy } from '../support/tcp-proxy.ts'

const ADDRESS = 'science:general'
const reconnect = { minDelayMs: 20, maxDelayMs: 200 } as const
const settings = { ARQONBUS_RATE_LIMIT: 'off', ARQONBUS_HISTORY_SIZE: '100000' }

/** What the application of one subscriber received, in order. */
type Heard = { sequences: number[]; gaps: Gap[] }

const running: BusProcess[] = []
const clients: Client[] = []
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await Promise.all(running.map((bus) => bus.stop('SIGKILL')))
})

async function subscribe(url: string, clientId: string): Promise<Heard> {
  const heard: Heard = { sequences: [], gaps: [] }
  const message = ({ payload }: Message) => heard.sequences.push(payload.sequence as number)
  const client = await connect({
    url,
    clientId,
    join: [ADDRESS],
    reconnect,
    on: { message, gap: (gap) => heard.gaps.push(gap) },
  })
  clients.push(client)
  return heard
}

/**
 * Publishes with acknowledgements, eight in flight, until stopped; returns the number of acknowledged messages, all in
 * order.
 */
function publishWithoutEnd(client: Client) {
  let sequence = 0
  let isStopping = false
  const acknowledged = new Set<number>()
  const worker = async () => {
    while (!isStopping) {
      const own = ++sequence
      await client.publish(ADDRESS, { sequence: own }, { ack: true })
      acknowledged.add(own)
    }
  }
  const workers = Promise.all(Array.from({ length: 8 }, worker))
  return {
    acknowledged,
    reached: (count: number) => until(() => acknowledged.size >= count),
    async stop() {
      isStopping = true
      await workers
      return acknowledged
    },
  }
}

/** Polls until the condition is true; the time limit of the test ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(2)
}

const start = async (own: Record<string, string> = {}): Promise<BusProcess> => {
  const bus = await startBusProcess({ settings: { ...settings, ...own } })
  running.push(bus)
  return bus
}

const publisherOf = async (url: string): Promise<Client> => {
  const client = await connect({ url, clientId: 'publisher', echo: false, reconnect })
  clients.push(client)
  return client
}

test('client connections that are cut again and again lose nothing, duplicate nothing and keep the order', async () => {
  const bus = await start()
  const proxy = openProxy(bus.busUrl)
  const steady = await subscribe(bus.busUrl, 'steady')
  const shaken = await Promise.all([subscribe(proxy.url, 'shaken-1'), subscribe(proxy.url, 'shaken-2')])
  const traffic = publishWithoutEnd(await publisherOf(proxy.url))
  for (let cuts = 1; cuts <= 5; cuts++) {
    await traffic.reached(cuts * 300)
    proxy.cut()
  }
  await traffic.reached(2000)
  const acknowledged = await traffic.stop()
  await until(() => [steady, ...shaken].every(({ sequences }) => sequences.length >= acknowledged.size))
  const inOrder = steady.sequences
  expect(new Set(inOrder)).toEqual(acknowledged)
  expect(inOrder.length).toBe(acknowledged.size)
  for (const { sequences, gaps } of shaken) {
    expect(gaps).toEqual([])
    expect(sequences).toEqual(inOrder)
  }
  proxy.close()
}, 300_000)

test('a server that is stopped for a while and continued has lost nothing', async () => {
  const bus = await start()
  const heard = await subscribe(bus.busUrl, 'reader')
  const traffic = publishWithoutEnd(await publisherOf(bus.busUrl))
  await traffic.reached(200)
  bus.signal('SIGSTOP')
  const before = traffic.acknowledged.size
  await Bun.sleep(1000)
  expect(traffic.acknowledged.size - before).toBeLessThanOrEqual(8)
  bus.signal('SIGCONT')
  await traffic.reached(before + 500)
  const acknowledged = await traffic.stop()
  await until(() => heard.sequences.length >= acknowledged.size)
  expect(heard.gaps).toEqual([])
  expect(new Set(heard.sequences)).toEqual(acknowledged)
}, 300_000)

test('after a kill -9 every client returns, is notified of the gap before anything else and gets nothing twice', async () => {
  const bus = await start()
  const port = new URL(bus.busUrl).port
  const heard = await subscribe(bus.busUrl, 'reader')
  const traffic = publishWithoutEnd(await publisherOf(bus.busUrl))
  await traffic.reached(300)
  await bus.stop('SIGKILL')
  const before = traffic.acknowledged.size
  await start({ ARQONBUS_PORT: port })
  await traffic.reached(before + 300)
  // The reader has returned: from then on it receives everything.
  await until(() => heard.gaps.some(({ address }) => address === ADDRESS))
  const back = heard.sequences.length
  await until(() => heard.sequences.length > back)
  const last = Math.max(...(await traffic.stop()))
  await until(() => heard.sequences.includes(last))
  expect(heard.gaps.map(({ address, reason }) => ({ address, reason }))).toContainEqual({
    address: ADDRESS,
    reason: 'reset',
  })
  expect(heard.sequences.length).toBe(new Set(heard.sequences).size)
}, 300_000)

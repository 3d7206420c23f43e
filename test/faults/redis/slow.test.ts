/**
 * A Redis that is busy while all clients publish as fast as possible: they wait, memory does not grow, and every
 * acknowledgement is true.
 */
import { afterAll, expect, test } from 'bun:test'
import { connect, readMetric, startRedis, type TestClient, type TestRedis, withProgram } from '@arqonbus/testing'
import { startBusProcess } from '../../support/bus-process.ts'
import { until } from '../../support/harness/until.ts'

const KiB = 1024
const MiB = 1024 * KiB
const PUBLISHERS = 8
const QUEUE_BYTES = MiB
const SEND_BUFFER_SOFT_LIMIT = 64 * KiB
/** The buffers of each publisher: its own share, and what was read with the frame that filled it. */
const SLACK_BYTES = PUBLISHERS * 4 * SEND_BUFFER_SOFT_LIMIT
/** Uncollected garbage: at any rate the heap varies by some 50 MB. */
const GROWTH_BYTES = 64 * MiB
/** A slow reply must not count as an outage of Redis, however slow the machine is. */
const TIMEOUT = '1m'
/** The number of pauses of Redis during the test. */
const NAPS = 15
const NAP_SECONDS = 0.2
const text = 'x'.repeat(1000)

const ending: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ending.reverse()) await end()
})

/** Publishes as fast as the socket allows; messages alternately require `stored` and any acknowledgement. */
function flood(client: TestClient) {
  const waiting = new Set<string>()
  const acknowledged = new Set<string>()
  const refused = new Map<string, string>()
  let isOn = true
  client.socket.addEventListener('message', ({ data }) => {
    client.frames.length = 0
    const { type, payload } = JSON.parse(String(data))
    if (type !== 'command_response' || !waiting.delete(payload.request_id)) return
    if (payload.status === 'success') acknowledged.add(payload.request_id)
    else refused.set(payload.request_id, payload.error.code)
  })
  const go = () => {
    if (!isOn) return
    for (let i = 0; i < 50 && client.socket.bufferedAmount < SEND_BUFFER_SOFT_LIMIT; i++) {
      const ack = i % 2 === 0 ? 'stored' : true
      waiting.add(client.send({ room: 'slow', channel: 'talk', payload: { text }, metadata: { ack } }))
    }
    setTimeout(go, 2)
  }
  go()
  return {
    waiting,
    acknowledged,
    refused,
    stop() {
      isOn = false
    },
  }
}

/** The ids of all messages in Redis. */
async function storedIds(redis: TestRedis): Promise<string[]> {
  const [stream] = (await redis.command('KEYS', 'arqon:1:*:slow:talk:s')) as string[]
  const entries = (await redis.command('XRANGE', stream!, '-', '+')) as [string, string[]][]
  return entries.map(([, [, head]]) => /"id":"([^"]+)"/.exec(head!)![1]!)
}

withProgram('redis-server', 'a slow Redis', () => {
  test('a slow Redis makes publishers wait: memory stays flat, acknowledged messages are stored, refused ones are not', async () => {
    const redis = await startRedis({ appendfsync: 'always', config: { 'enable-debug-command': 'local' } })
    ending.push(redis.stop)
    const bus = await startBusProcess({
      settings: {
        ARQONBUS_REDIS_URL: redis.url,
        ARQONBUS_REDIS_TIMEOUT: TIMEOUT,
        ARQONBUS_REDIS_QUEUE_BYTES: String(QUEUE_BYTES),
        ARQONBUS_SEND_BUFFER_SOFT_LIMIT: String(SEND_BUFFER_SOFT_LIMIT),
        ARQONBUS_MAX_MESSAGE_BYTES: String(SEND_BUFFER_SOFT_LIMIT / 4),
        ARQONBUS_HISTORY_SIZE: '1000000',
        ARQONBUS_CHANNEL_BYTES: '1GiB',
        ARQONBUS_RATE_LIMIT: 'off',
      },
    })
    ending.push(() => bus.stop('SIGKILL'))
    const metric = (name: string) => readMetric(bus.httpUrl, `arqonbus_${name}`)
    const clients = await Promise.all(
      Array.from({ length: PUBLISHERS }, (_, i) => connect(bus.busUrl, { query: { client_id: `publisher-${i}` } })),
    )
    await clients[0]!.publish({ room: 'slow', channel: 'talk' })
    const floods = clients.map(flood)
    const acknowledged = () => floods.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    const most = { held: 0, resident: 0 }
    const look = async () => {
      most.held = Math.max(most.held, await metric('queued_bytes'))
      most.resident = Math.max(most.resident, await metric('resident_memory_bytes'))
    }
    // First at the usual rate: the memory that this needs is not growth.
    await until('the usual pace', () => acknowledged() > 5000)
    const residentBefore = await metric('resident_memory_bytes')
    // Then Redis is paused nearly all the time, and processes its sockets in between.
    let naps = 0
    const acknowledgedBy: number[] = []
    const napping = (async () => {
      for (; naps < NAPS; naps++) {
        await redis.command('DEBUG', 'SLEEP', NAP_SECONDS)
        acknowledgedBy.push(acknowledged())
      }
    })()
    while (naps < NAPS) await look()
    await napping
    expect(acknowledgedBy.at(-1)).toBeGreaterThan(acknowledgedBy[0]!)
    expect(await metric('publishers_paused_total')).toBeGreaterThan(0)
    expect(most.held).toBeGreaterThan(QUEUE_BYTES / 2)
    expect(most.held).toBeLessThan(QUEUE_BYTES + SLACK_BYTES)
    expect(most.resident - residentBefore).toBeLessThan(GROWTH_BYTES)
    expect(await metric('storage_degraded_total')).toBe(0)

    // Until now nothing was refused. Now Redis is killed, with all messages in flight.
    expect(floods.flatMap(({ refused }) => [...refused])).toEqual([])
    await redis.kill()
    await until('a refusal', () => floods.every(({ refused }) => [...refused.values()].includes('storage_unavailable')))
    for (const { stop } of floods) stop()
    await redis.restart()
    await until('Redis to be back', async () => (await metric('storage_available')) === 1)
    await until('all outcomes', () => floods.every(({ waiting }) => waiting.size === 0))
    await until('the queued messages to be stored', async () => (await metric('queued_bytes')) === 0)

    const ids = await storedIds(redis)
    const stored = new Set(ids)
    expect(ids).toHaveLength(stored.size)
    const codes = new Map<string, number>()
    for (const { acknowledged, refused } of floods) {
      expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([])
      for (const [id, code] of refused) {
        codes.set(code, (codes.get(code) ?? 0) + 1)
        if (code !== 'outcome_unknown' && stored.has(id)) throw new Error(`${id} is stored, but was refused: ${code}`)
      }
    }
    expect([...codes.keys()].toSorted()).toEqual(['outcome_unknown', 'storage_unavailable'])
  }, 300_000)
})

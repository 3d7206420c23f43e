/** A Redis that slows to a tenth while everybody publishes as fast as they may: they wait, memory does not grow, and nobody is told what is not so. */
import { afterAll, expect, test } from 'bun:test'
import { connect, readMetric, startRedis, type TestClient, type TestRedis, withProgram } from '@arqonbus/testing'
import { startBusProcess } from '../../support/bus-process.ts'
import { until } from '../../support/rig/until.ts'

const KiB = 1024
const MiB = 1024 * KiB
const PUBLISHERS = 8
const QUEUE_BYTES = MiB
const SLOW_BYTES = 64 * KiB
/** What each publisher may have beside: its own share, and what was read with the frame that filled it. */
const SLACK_BYTES = PUBLISHERS * 4 * SLOW_BYTES
/** What the collector has not seen yet: at any pace the heap goes up and down by some 50 MB. */
const GROWTH_BYTES = 64 * MiB
/** At this pace an answer takes a second or two, which is not to be taken for a Redis that is away. */
const TIMEOUT = '5s'
const text = 'x'.repeat(1000)

const ending: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ending.reverse()) await end()
})

/** Publishes as fast as the socket takes it; what it sends by turns asks to be stored, or for any acknowledgement. */
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
    for (let i = 0; i < 50 && client.socket.bufferedAmount < SLOW_BYTES; i++) {
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

/**
 * Redis is busy with something else nearly all the time: in between it takes what its sockets have, some 100 messages. So it does a tenth of what it did;
 * returns how to end that.
 */
function slow(redis: TestRedis, usualPerSecond: number): () => Promise<void> {
  const seconds = Math.min(0.3, 100 / (usualPerSecond / 10))
  let isSlow = true
  const done = (async () => {
    while (isSlow) await redis.command('DEBUG', 'SLEEP', seconds)
  })()
  return () => {
    isSlow = false
    return done
  }
}

/** The ids of all messages that Redis has. */
async function storedIds(redis: TestRedis): Promise<string[]> {
  const [stream] = (await redis.command('KEYS', 'arqon:1:*:slow:talk:s')) as string[]
  const entries = (await redis.command('XRANGE', stream!, '-', '+')) as [string, string[]][]
  return entries.map(([, [, head]]) => /"id":"([^"]+)"/.exec(head!)![1]!)
}

withProgram('redis-server', 'a Redis that slows to a tenth', () => {
  test('makes publishers wait: memory stays flat, what is acknowledged is stored, and what is refused is not', async () => {
    const redis = await startRedis({ config: { 'enable-debug-command': 'local' } })
    ending.push(redis.stop)
    const bus = await startBusProcess({
      settings: {
        ARQONBUS_REDIS_URL: redis.url,
        ARQONBUS_REDIS_TIMEOUT: TIMEOUT,
        ARQONBUS_REDIS_QUEUE_BYTES: String(QUEUE_BYTES),
        ARQONBUS_SLOW_BYTES: String(SLOW_BYTES),
        ARQONBUS_MAX_MESSAGE_BYTES: String(SLOW_BYTES / 4),
        ARQONBUS_HISTORY_SIZE: '1000000',
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
    /** Looks for a while: what is acknowledged in a second, and the most that the bus needs. */
    const watch = async (ms: number) => {
      const [began, before] = [performance.now(), acknowledged()]
      const most = { held: 0, resident: 0 }
      while (performance.now() - began < ms) {
        most.held = Math.max(most.held, await metric('held_bytes'))
        most.resident = Math.max(most.resident, await metric('resident_memory_bytes'))
      }
      return { perSecond: ((acknowledged() - before) * 1000) / (performance.now() - began), ...most }
    }
    const usual = await watch(3000)
    const pausedBefore = await metric('publishers_paused_total')
    const quicken = slow(redis, usual.perSecond)
    ending.push(quicken)
    // What was on its way at the usual pace is not counted.
    await watch(500)
    const slowed = await watch(4000)
    const paused = (await metric('publishers_paused_total')) - pausedBefore
    expect(slowed.perSecond).toBeGreaterThan(0)
    expect(slowed.perSecond).toBeLessThan(usual.perSecond / 5)
    expect(paused).toBeGreaterThan(0)
    expect(slowed.held).toBeGreaterThan(QUEUE_BYTES / 2)
    expect(slowed.held).toBeLessThan(QUEUE_BYTES + SLACK_BYTES)
    expect(slowed.resident - usual.resident).toBeLessThan(GROWTH_BYTES)
    expect(await metric('storage_degraded_total')).toBe(0)
    await quicken()

    // Until now nothing was refused. Now Redis stops altogether, with all that is on its way.
    expect(floods.flatMap(({ refused }) => [...refused])).toEqual([])
    redis.pause()
    await until('a refusal', () => floods.every(({ refused }) => [...refused.values()].includes('storage_unavailable')))
    redis.resume()
    await until('Redis to be back', async () => (await metric('storage_available')) === 1)
    for (const { stop } of floods) stop()
    await until('all outcomes', () => floods.every(({ waiting }) => waiting.size === 0))
    await until('what was held to be stored', async () => (await metric('held_bytes')) === 0)

    const ids = await storedIds(redis)
    const stored = new Set(ids)
    expect(ids).toHaveLength(stored.size)
    const codes = new Map<string, number>()
    for (const { acknowledged, refused } of floods) {
      expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([])
      for (const [id, code] of refused) {
        codes.set(code, (codes.get(code) ?? 0) + 1)
        if (code !== 'outcome_unknown' && stored.has(id)) throw new Error(`${id} is stored, and was refused: ${code}`)
      }
    }
    expect([...codes.keys()].toSorted()).toEqual(['outcome_unknown', 'storage_unavailable'])
  }, 300_000)
})

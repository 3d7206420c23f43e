/** Metrics: each changes when its cause occurs, and not before. Metrics of Redis are in `redis/metrics.test.ts`. */
import { describe, expect, test } from 'bun:test'
import { totalmem } from 'node:os'
import { eventually, openRaw, refusal, startBus, testClock } from '@arqonbus/testing'
import { startBusProcess } from './support/bus-process.ts'

const KEY = 'the-key'
const clock = testClock()
const bus = await startBus({ rateLimit: null, adminKey: KEY, historySize: 20, maxRooms: 77 }, { clock })

/** By how much these samples rise during `happens`. */
async function rise(samples: readonly string[], happens: () => Promise<unknown>): Promise<number[]> {
  const read = () => Promise.all(samples.map((sample) => bus.metric(sample)))
  const before = await read()
  await happens()
  const after = await read()
  return after.map((value, i) => value - before[i]!)
}

/** Publishes `count` messages, each in another millisecond; resolves to their positions. */
async function say(address: { room: string; channel: string }, count: number): Promise<string[]> {
  const client = await bus.connect()
  const positions: string[] = []
  for (let i = 0; i < count; i++) {
    clock.advance(1)
    positions.push((await client.publish({ ...address, payload: { i } })).position!)
  }
  client.socket.close()
  return positions
}

describe('messages and the log', () => {
  const outcomes = ['appended', 'duplicate', 'queued', 'refused'].map(
    (outcome) => `arqonbus_appends_total{outcome="${outcome}"}`,
  )

  test('every message is counted once, by its append outcome', async () => {
    const ann = await bus.as('ann', 'appends:a')
    const rises = await rise(outcomes, async () => {
      ann.send({ room: 'appends', channel: 'a', payload: { n: 1 } })
      const message = { id: 'arq_same', room: 'appends', channel: 'a', payload: { n: 2 } }
      await ann.publish(message)
      expect(await ann.publish(message)).toMatchObject({ duplicate: true })
      expect(await refusal(ann.publish({ ...message, payload: { n: 3 } }))).toMatchObject({ code: 'id_conflict' })
    })
    expect(rises).toEqual([2, 1, 0, 1])
  })

  test('a private message is counted once for each inbox that stores it', async () => {
    const [sender] = [await bus.as('sender'), await bus.as('one'), await bus.as('two')]
    await say({ room: 'letters', channel: 'a' }, 1)
    const letter = { room: 'letters', channel: 'pm', type: 'private', metadata: { to: ['one', 'two'] } } as const
    expect(await rise(outcomes, () => sender.publish(letter))).toEqual([3, 0, 0, 0])
  })
})

describe('recoveries', () => {
  const samples = [
    'arqonbus_recoveries_total{outcome="recovered"}',
    'arqonbus_recovery_missed_messages_count',
    'arqonbus_recovery_missed_messages_sum',
    'arqonbus_recovery_missed_messages_bucket{le="1"}',
    'arqonbus_messages_replayed_total',
  ]

  test('a successful recovery counts the messages missed and the messages delivered for it', async () => {
    const [at] = await say({ room: 'recovered', channel: 'a' }, 8)
    const client = await bus.connect()
    const rises = await rise(samples, async () => {
      await client.command('join_channel', { channel: 'recovered:a', since: at! })
      expect(await client.messages()).toHaveLength(7)
    })
    expect(rises).toEqual([1, 1, 7, 0, 7])
  })

  test('a recovery with nothing missed is counted, and a join without `since` is not', async () => {
    const [at] = await say({ room: 'recovered', channel: 'b' }, 1)
    const client = await bus.connect()
    const rises = await rise(samples, async () => {
      await client.command('join_channel', { channel: 'recovered:a' })
      await client.command('join_channel', { channel: 'recovered:b', since: at! })
    })
    expect(rises).toEqual([1, 1, 0, 1, 0])
  })

  test('a failed recovery is counted by its reason', async () => {
    const [trimmed] = await say({ room: 'unrecovered', channel: 'a' }, 25)
    const [at] = await say({ room: 'unrecovered', channel: 'b' }, 2)
    const client = await bus.connect()
    const counters = ['trimmed', 'reset', 'diverged', 'recovered'].map(
      (outcome) => `arqonbus_recoveries_total{outcome="${outcome}"}`,
    )
    const rises = await rise(counters, async () => {
      await client.command('join_channel', { channel: 'unrecovered:a', since: trimmed! })
      await client.command('join_channel', { channel: 'unrecovered:b', since: '1000-1' })
      await client.command('join_channel', { channel: 'unrecovered:b', since: at!, since_id: 'arq_another' })
    })
    expect(rises).toEqual([1, 1, 1, 0])
  })
})

describe('connections', () => {
  test('connections that the server closes are counted by reason, and one that its client closes is not', async () => {
    const closed = (name: string) => `arqonbus_connections_closed_total{reason="${name}"}`
    const admin = await bus.connect({ headers: { authorization: `Bearer ${KEY}` } })
    const [bad, rude, leaving] = [await bus.as('bad'), await bus.as('rude'), await bus.as('leaving')]
    const names = ['disconnected', 'repeated_violations', 'normal', 'slow_consumer', 'heartbeat_lost']
    const rises = await rise(names.map(closed), async () => {
      await admin.command('disconnect_client', { client_id: bad.id })
      for (let i = 0; i < 5; i++) rude.raw('{')
      leaving.socket.close()
      await Promise.all([bad.closed, rude.closed, leaving.closed])
    })
    expect(rises).toEqual([1, 1, 0, 0, 0])
  })

  test('a connection that does not read shows as the largest send queue, within the total of all queues', async () => {
    const raw = await openRaw(`${bus.busUrl}?client_id=stalled&join=queue:a`)
    await raw.nextJson()
    expect(await bus.metric('arqonbus_send_queue_largest_bytes')).toBe(0)
    raw.pause()
    const ann = await bus.connect()
    const text = 'x'.repeat(16 * 1024)
    // Both at one moment: queued data may move to the kernel before the next scrape.
    const [largest, all] = await eventually(async () => {
      for (let i = 0; i < 50; i++) ann.send({ room: 'queue', channel: 'a', payload: { text } })
      await ann.command('ping')
      const page = await (await fetch(`${bus.httpUrl}/metrics`)).text()
      const sampleOf = (sample: string) => Number(new RegExp(`^${sample} (\\d+)$`, 'm').exec(page)?.[1])
      const queued = [sampleOf('arqonbus_send_queue_largest_bytes'), sampleOf('arqonbus_send_queue_bytes')] as const
      expect(queued[0]).toBeGreaterThan(text.length)
      return queued
    })
    expect(all).toBeGreaterThanOrEqual(largest)
    expect(largest).toBeLessThanOrEqual(await bus.metric('arqonbus_limit{limit="send_buffer_hard_limit"}'))
    raw.destroy()
    await eventually(async () => expect(await bus.metric('arqonbus_send_queue_largest_bytes')).toBe(0))
  })

  test('a connection that does not read its replies is not read either, and counts as paused until it reads', async () => {
    const raw = await openRaw(`${bus.busUrl}?client_id=asking`)
    await raw.nextJson()
    expect(await bus.metric('arqonbus_connections_paused')).toBe(0)
    await say({ room: 'paused', channel: 'a' }, 20)
    raw.pause()
    const ask = `{"version":"1.0","id":"arq_ask","type":"command","room":"paused","channel":"a","from":"asking","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"history","parameters":{}}}`
    await eventually(async () => {
      for (let i = 0; i < 200; i++) raw.frame({ payload: ask })
      expect(await bus.metric('arqonbus_connections_paused')).toBe(1)
    })
    raw.destroy()
    await eventually(async () => expect(await bus.metric('arqonbus_connections_paused')).toBe(0))
  })
})

describe('the state of the bus', () => {
  const metricsOf = async (httpUrl: string) => (await fetch(`${httpUrl}/metrics`)).text()

  test('without Redis the metrics show the level `memory`, the memory driver and no Redis activity', async () => {
    const levels = ['memory', 'stored', 'disk'].map((level) => `arqonbus_durability{level="${level}"}`)
    expect(await Promise.all(levels.map(bus.metric))).toEqual([1, 0, 0])
    const drivers = ['memory', 'redis'].map((driver) => `arqonbus_storage_driver{driver="${driver}"}`)
    expect(await Promise.all(drivers.map(bus.metric))).toEqual([1, 0])
    const still = [
      'arqonbus_storage_outage_seconds_total',
      'arqonbus_storage_connects_total{outcome="ready"}',
      'arqonbus_storage_ping_duration_seconds_count',
      'arqonbus_append_duration_seconds_count',
      'arqonbus_replicas_connected',
      'arqonbus_replicas_wanted',
    ]
    expect(await Promise.all(still.map(bus.metric))).toEqual(still.map(() => 0))
    expect(await bus.metric('arqonbus_storage_available')).toBe(1)
  })

  test('the status metric is `ok`, and `degraded` if a configured room could not be created', async () => {
    const states = ['ok', 'degraded', 'draining'].map((state) => `arqonbus_status{status="${state}"}`)
    expect(await Promise.all(states.map(bus.metric))).toEqual([1, 0, 0])
    const names = ['a', 'b'].map((name) => ({ name, channels: [] }))
    const lame = await startBus({ bootstrap: 'lenient', maxRooms: 3, rooms: [...names, { name: 'c', channels: [] }] })
    expect(await Promise.all(states.map(lame.metric))).toEqual([0, 1, 0])
  })

  test('the limits in force are exported beside the current values', async () => {
    expect(await bus.metric('arqonbus_limit{limit="rooms"}')).toBe(77)
    expect(await bus.metric('arqonbus_limit{limit="connections"}')).toBe(20_000)
    expect(await bus.metric('arqonbus_limit{limit="memory_bytes"}')).toBeLessThanOrEqual(totalmem())
    const limited = await startBus({ rateLimit: { perSecond: 9, burst: 10 } })
    expect(await limited.metric('arqonbus_limit{limit="message_rate"}')).toBe(9)
    const off = await metricsOf(bus.httpUrl)
    expect(off).not.toContain('arqonbus_limit{limit="message_rate"}')
    expect(off).not.toContain('arqonbus_limit{limit="command_rate"}')
  })

  test('the exported limit of open files is that of the process', async () => {
    const main = `${import.meta.dir}/../packages/cli/src/main.ts`
    const command = ['sh', '-c', `ulimit -n 777 && exec "$0" --no-env-file "$1" serve`, process.execPath, main]
    const small = await startBusProcess({ command })
    const text = await metricsOf(small.httpUrl)
    await small.stop()
    if (process.platform === 'linux') expect(text).toContain('arqonbus_limit{limit="open_files"} 777\n')
    else expect(text).not.toContain('open_files')
  })
})

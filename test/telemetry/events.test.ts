/**
 * Every event of the bus, as both kinds of subscribers receive it (docs/protocol.md#telemetry, specification user story
 * 3).
 */
import { expect, test } from 'bun:test'
import { type BusEventPayload, type BusEventType, busEventTypes } from '@arqonbus/protocol'
import { openRaw, refusal, startBus, startRedis, withProgram } from '@arqonbus/testing'
import { eventOf, heard, heardSoFar } from './support/events.ts'

const bus = await startBus({
  autoCreate: true,
  adminKey: 'key',
  // A slow refill: a slow machine allows no more of them.
  rateLimit: { perSecond: 0.01, burst: 40 },
  commandRate: { perSecond: 0.01, burst: 3 },
  sendBufferSoftLimit: 2048,
  maxDepth: 8,
})
/** A subscriber of the telemetry server, and one on the bus that has joined both channels. */
const audiences = [
  await bus.listen({ client_id: 'listener' }),
  await bus.as('dash', 'integriguard:telemetry-stream', 'integriguard:dashboard-events'),
]

/** The types with a test below. */
const covered = new Set<BusEventType>(['agent_activity'])
/** The types that both subscribers have received in the running test. */
const seen = new Set<BusEventType>()

/** A test of these types of events: it fails unless both subscribers received each of them. */
function testEvents(types: readonly BusEventType[], name: string, body: () => Promise<void>): void {
  cover(types)
  test(name, async () => {
    seen.clear()
    await body()
    expect(types.filter((type) => !seen.has(type))).toEqual([])
  })
}

function cover(types: readonly BusEventType[]): void {
  for (const type of types) covered.add(type)
}

/** Expects the event at both subscribers; resolves to the payload. */
async function bothHear<Type extends BusEventType>(
  type: Type,
  fields: Partial<BusEventPayload<Type>> = {},
): Promise<BusEventPayload<Type>> {
  const [one, other] = await Promise.all(audiences.map((audience) => heard(audience, type, fields)))
  expect(one!).toEqual(other!)
  seen.add(type)
  return one!
}

testEvents(
  ['client_connected', 'channel_created', 'channel_joined', 'channel_left', 'client_disconnected'],
  'telemetry reports clients that connect, join, leave and disconnect',
  async () => {
    const ann = await bus.connect({ query: { client_id: 'ann', client_type: 'service', join: 'science:explore' } })
    expect(await bothHear('client_connected', { client_id: 'ann' })).toEqual({
      client_id: 'ann',
      client_type: 'service',
      resumed: false,
    })
    expect(await bothHear('channel_created', { channel: 'explore' })).toEqual({
      client_id: 'ann',
      room: 'science',
      channel: 'explore',
      type: 'general',
      auto_created: true,
    })
    expect(await bothHear('channel_joined', { client_id: 'ann' })).toEqual({
      client_id: 'ann',
      room: 'science',
      channel: 'explore',
    })
    await ann.command('join_channel', { channel: 'science:*' })
    expect((await bothHear('channel_joined', { client_id: 'ann' })).channel).toBe('*')
    await ann.command('leave_channel', { channel: 'science:explore' })
    expect(await bothHear('channel_left', { client_id: 'ann' })).toMatchObject({ room: 'science', channel: 'explore' })
    await ann.close()
    expect((await bothHear('channel_left', { client_id: 'ann' })).channel).toBe('*')
    const { connected_ms } = await bothHear('client_disconnected', { client_id: 'ann' })
    expect(connected_ms).toBeWithin(0, 60_000)
  },
)

test('a resumed session is reported with client_connected', async () => {
  const ann = await bus.as('back')
  await ann.close()
  await bus.connect({ query: { client_id: 'back' }, headers: { 'Arqonbus-Session': ann.welcome.session } })
  expect(await bothHear('client_connected', { client_id: 'back', resumed: true })).toMatchObject({ resumed: true })
})

testEvents(
  ['channel_created', 'channel_deleted'],
  'telemetry reports channels that are created and deleted',
  async () => {
    const ann = await bus.as('maker')
    await ann.command('create_channel', { channel: 'works:one' })
    expect(await bothHear('channel_created', { room: 'works' })).toMatchObject({ channel: 'one', auto_created: false })
    await ann.command('delete_channel', { channel: 'works:one' })
    expect(await bothHear('channel_deleted', { room: 'works' })).toEqual({ room: 'works', channel: 'one' })
  },
)

testEvents(['message_routed'], 'telemetry counts messages routed to a channel, to a room and to a client', async () => {
  const ann = await bus.as('sender')
  await ann.publish({ room: 'talk', channel: 'one' })
  expect(await bothHear('message_routed', { channel: 'one' })).toEqual({
    client_id: 'sender',
    room: 'talk',
    channel: 'one',
    count: 1,
  })
  await ann.publish({ room: 'talk', channel: '*' })
  expect(await bothHear('message_routed', { room: 'talk', channel: '*' })).toMatchObject({ count: 1 })
  await bus.as('recipient')
  await ann.publish({ type: 'private', room: 'talk', channel: 'pm', metadata: { to: 'recipient' } })
  expect(await bothHear('message_routed', { channel: 'pm' })).toEqual({
    client_id: 'sender',
    room: 'talk',
    channel: 'pm',
    count: 1,
  })
})

testEvents(['message_rejected'], 'telemetry reports refused frames with their code', async () => {
  const eve = await bus.as('eve')
  eve.raw('{')
  expect(await bothHear('message_rejected', { client_id: 'eve' })).toEqual({
    client_id: 'eve',
    code: 'invalid_json',
    count: 1,
  })
  await refusal(eve.publish({ room: 'arqonbus', channel: 'control' }))
  expect(await bothHear('message_rejected', { code: 'system_channel' })).toEqual({
    client_id: 'eve',
    code: 'system_channel',
    room: 'arqonbus',
    channel: 'control',
    count: 1,
  })
})

testEvents(['rate_limited'], 'telemetry reports clients that send too many messages or commands', async () => {
  const eve = await bus.as('flood')
  const outcomes = Array.from({ length: 41 }, () => eve.publish({ room: 'talk', channel: 'flood' }).catch(() => {}))
  await Promise.all(outcomes)
  expect(await bothHear('rate_limited', { client_id: 'flood' })).toEqual({
    client_id: 'flood',
    room: 'talk',
    channel: 'flood',
    count: 1,
  })
  const bob = await bus.as('asker')
  for (let i = 0; i < 4; i++) await bob.command('list_channels').catch(() => {})
  expect(await bothHear('rate_limited', { client_id: 'asker' })).toEqual({
    client_id: 'asker',
    command: 'list_channels',
    count: 1,
  })
})

test('telemetry events of clients of either server reach the subscribers of both, byte for byte', async () => {
  const ann = await bus.as('teller')
  const listener = await bus.listen({ client_id: 'other-listener' })
  for (const from of [ann, listener]) {
    const payload = '{"eventType":"build","payload":{"big":12345678901234567890.10}}'
    const id = `arq_${from.id}`
    from.raw(
      `{"version":"1.0","id":"${id}","type":"telemetry","room":"integriguard","channel":"telemetry-stream","from":"${from.id}","timestamp":"2026-01-01T00:00:00Z","payload":${payload},"metadata":{"ack":true}}`,
    )
    const answer = await from.answer(id)
    // Two subscribers, and the sender itself.
    expect(answer.result).toEqual({ position: null, durability: 'memory', duplicate: false, recipients: 3 })
    for (const audience of audiences) {
      const frame = await audience.next((one) => one.id === id)
      expect(frame).toMatchObject({ from: from.id, type: 'telemetry', channel: 'telemetry-stream' })
    }
  }
})

test('activity in the room integriguard is not reported', async () => {
  const ann = await bus.connect({ query: { client_id: 'quiet', client_type: 'ai-agent' } })
  await ann.command('join_channel', { channel: 'integriguard:telemetry-stream' })
  await refusal(ann.publish({ type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', payload: {} }))
  await refusal(ann.publish({ room: 'integriguard', channel: 'telemetry-stream' }))
  ann.send({
    type: 'telemetry',
    room: 'integriguard',
    channel: 'telemetry-stream',
    payload: { eventType: 'x', payload: {} },
  })
  await ann.command('leave_channel', { channel: 'integriguard:telemetry-stream' })
  await ann.close()
  for (const audience of audiences) {
    // On a slow machine the two commands are reported in two reports.
    const events = new Set<string>()
    for (let ended = false; !ended; ) {
      const frame = await audience.next((one) => eventOf(one) !== undefined)
      const { eventType, payload } = frame.payload as { eventType: string; payload: Record<string, unknown> }
      if (payload.client_id === 'quiet' && eventType !== 'agent_activity') events.add(eventType)
      if (payload.client_id === 'quiet' && eventType === 'agent_activity') events.add(String(payload.activity))
      ended = events.has('client_disconnected') && events.has('disconnected')
    }
    expect([...events].sort()).toEqual([
      'client_connected',
      'client_disconnected',
      'command',
      'connected',
      'disconnected',
    ])
  }
})

test('telemetry never names a private channel', async () => {
  const ann = await bus.as('holder')
  for (const audience of audiences) heardSoFar(audience)
  await ann.command('create_channel', { channel: 'hidden:secret', type: 'private' })
  await ann.command('join_channel', { channel: 'hidden:secret' })
  await ann.publish({ room: 'hidden', channel: 'secret' })
  await refusal((await bus.as('stranger')).publish({ room: 'hidden', channel: 'secret' }))
  await ann.command('leave_channel', { channel: 'hidden:secret' })
  await ann.command('delete_channel', { channel: 'hidden:secret' })
  const events: BusEventType[] = [
    'channel_created',
    'channel_joined',
    'message_routed',
    'message_rejected',
    'channel_left',
    'channel_deleted',
  ]
  for (const type of events) expect(await bothHear(type, { room: 'hidden' })).not.toHaveProperty('channel')
})

cover(['storage_degraded', 'storage_recovered'])
withProgram('redis-server', 'telemetry of the external log', () => {
  test('telemetry reports when Redis becomes unreachable and when it returns', async () => {
    const redis = await startRedis()
    const other = await startBus({ redisUrl: redis.url })
    const both = [await other.listen(), await other.as('watcher', 'integriguard:telemetry-stream')]
    await redis.kill()
    for (const one of both) expect(await heard(one, 'storage_degraded')).toMatchObject({ mode: 'degrade' })
    await redis.restart()
    for (const one of both) expect(await heard(one, 'storage_recovered')).toEqual({})
    await redis.stop()
  })
})

testEvents(
  ['slow_consumer'],
  'telemetry reports a slow consumer when it falls behind and when it is closed',
  async () => {
    const other = await startBus({ sendBufferSoftLimit: 32 * 1024, historySize: 5, rateLimit: null })
    const both = [await other.listen(), await other.as('watcher', 'integriguard:telemetry-stream')]
    const slow = await openRaw(`${other.busUrl}?client_id=slow&join=wide:talk`)
    await slow.nextJson()
    slow.pause()
    const [ann, text] = [await other.as('ann'), 'x'.repeat(64 * 1024)]
    let isClosed = false
    const closed = Promise.all(both.map((one) => heard(one, 'slow_consumer', { client_id: 'slow', state: 'closed' })))
    void closed.then(() => {
      isClosed = true
    })
    const behind = both.map((one) => heard(one, 'slow_consumer', { client_id: 'slow', state: 'behind' }))
    // The kernel buffers a few MiB for a client that does not read.
    for (let sent = 0; !isClosed && sent < 1000; sent++)
      await ann.publish({ room: 'wide', channel: 'talk', payload: { text } })
    await Promise.all([closed, ...behind])
    slow.destroy()
    seen.add('slow_consumer')
  },
)

test('every type of telemetry event has a test', () => {
  expect(busEventTypes.filter((type) => !covered.has(type))).toEqual([])
})

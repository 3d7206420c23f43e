/** The content of traces of commands and messages, as a collector receives it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '@arqonbus/protocol'
import type { Config } from '@arqonbus/server'
import {
  createSlowLog,
  eventually,
  refusal,
  startBus,
  startRedis,
  type TestBus,
  type TestClient,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'
import { type SeenSpan, startCollector } from '../support/collector.ts'

const collector = startCollector()
afterAll(async () => {
  expect(collector.faults).toEqual([])
  await collector.stop()
})

/** Starts a bus whose spans are sent at once. */
const start = (config: Partial<Config> = {}, options: Parameters<typeof startBus>[1] = {}): Promise<TestBus> =>
  startBus({ otelExporterOtlpEndpoint: collector.url, otelBspScheduleDelay: 1, rateLimit: null, ...config }, options)

/** Resolves to the span of a message, by its id. */
const spanOf = (id: string): Promise<SeenSpan> =>
  collector.span(({ attributes }) => attributes['messaging.message.id'] === id)

/** Resolves to the span of the next command of that client: each client of a test sends one command of a name. */
const commandOf = (client: TestClient, name: string): Promise<SeenSpan> =>
  collector.span((span) => span.name === `command ${name}` && span.attributes['arqonbus.client.id'] === client.id)

const tracedBus = await start({ adminKey: 'let-me-in' })
const buses = {
  all: tracedBus,
  none: await start({ otelTracesSampler: 'parentbased_traceidratio', otelTracesSamplerArg: 0 }),
  alwaysOn: await start({ otelTracesSampler: 'always_on' }),
}

/** Durations have a separate clock, which agrees with the wall clock up to this difference. */
const CLOCKS_AGREE_NS = 3_000_000n

describe('a command', () => {
  test('the span of a command has its name, its client and its outcome', async () => {
    const ann = await tracedBus.as('ann')
    await ann.command('ping', undefined, { room: 'science', channel: 'explore' })
    expect(await commandOf(ann, 'ping')).toMatchObject({
      parentSpanId: undefined,
      status: {},
      attributes: {
        'arqonbus.command': 'ping',
        'arqonbus.client.id': 'ann',
        'arqonbus.room': 'science',
        'arqonbus.channel': 'explore',
        'arqonbus.outcome': 'success',
      },
    })
  })

  test('the span of a refused command has the error code', async () => {
    const bob = await tracedBus.as('bob')
    await refusal(bob.command('channel_info', { channel: 'no:where' }))
    const { status, attributes } = await commandOf(bob, 'channel_info')
    expect(status).toEqual({ code: 2, message: 'room_not_found' })
    expect(attributes).toMatchObject({ 'arqonbus.outcome': 'error', 'error.type': 'room_not_found' })
  })

  test('the span of an unknown command is named `unknown`, so that clients cannot choose names of spans', async () => {
    const cyd = await tracedBus.as('cyd')
    const id = cyd.send({ type: 'command', payload: { name: 'make_coffee' } })
    expect((await cyd.answer(id)).error?.code).toBe('unknown_command')
    expect((await commandOf(cyd, 'unknown')).status).toEqual({ code: 2, message: 'unknown_command' })
    expect(collector.requests.some(({ body }) => body.includes('make_coffee'))).toBe(false)
  })

  test('the span of a command that waits for the log lasts until its reply', async () => {
    const slow = createSlowLog({ recent: 0 })
    const bus = await start({}, { log: slow.forBus })
    const dan = await bus.as('dan', 'slow:a')
    const asked = dan.command('history', { room: 'slow', channel: 'a' })
    await slow.until(({ arrivals }) => arrivals === 1)
    const askedAtNs = BigInt(Date.now()) * 1_000_000n
    await slow.settle()
    await asked
    slow.flow()
    const { startNs, endNs, status } = await commandOf(dan, 'history')
    expect(status).toEqual({})
    expect(startNs).toBeLessThanOrEqual(askedAtNs + CLOCKS_AGREE_NS)
    expect(endNs).toBeGreaterThanOrEqual(askedAtNs - CLOCKS_AGREE_NS)
  })
})

describe('a message', () => {
  test('the span of a message has its address, its size and the position from the log', async () => {
    const ann = await tracedBus.as('ann-publishes', 'science:explore')
    const id = newId()
    const { position } = await ann.publish({ id, room: 'science', channel: 'explore', payload: { text: 'grüß' } })
    expect(await spanOf(id)).toMatchObject({
      name: 'publish',
      parentSpanId: undefined,
      status: {},
      attributes: {
        'messaging.system': 'arqonbus',
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'science:explore',
        'messaging.message.id': id,
        'messaging.message.body.size': Buffer.byteLength('{"text":"grüß"}'),
        'arqonbus.client.id': 'ann-publishes',
        'arqonbus.outcome': 'appended',
        'arqonbus.position': position!,
      },
    })
  })

  test('the span of a message sent again is marked as a duplicate and has the first position', async () => {
    const ann = await tracedBus.as('ann-repeats')
    const id = newId()
    const { position } = await ann.publish({ id })
    await ann.publish({ id })
    const again = await collector.span(
      ({ attributes }) => attributes['messaging.message.id'] === id && attributes['arqonbus.outcome'] === 'duplicate',
    )
    expect([again.status, again.attributes['arqonbus.position']]).toEqual([{}, position!])
  })

  test('a message to a whole room and a private message have one span each', async () => {
    const [ann, bob] = [await tracedBus.as('ann-writes', 'science:explore'), await tracedBus.as('bob-reads')]
    const [wide, secret] = [newId(), newId()]
    await ann.publish({ id: wide, channel: '*' })
    await ann.publish({ id: secret, type: 'private', channel: 'pm', metadata: { to: [bob.id, ann.id] } })
    expect((await spanOf(wide)).attributes).toMatchObject({
      'messaging.destination.name': 'science:*',
      'arqonbus.outcome': 'appended',
    })
    expect((await spanOf(secret)).attributes).toMatchObject({
      'messaging.destination.name': 'arqonbus:pm',
      'arqonbus.outcome': 'appended',
    })
    expect(collector.spans.filter(({ attributes }) => attributes['messaging.message.id'] === secret)).toHaveLength(1)
    const { body } = collector.requests.find(({ body }) => body.includes(secret))!
    expect(body).not.toContain('bob-reads')
  })

  test('the span of a refused message has the error code', async () => {
    const ann = await tracedBus.as('ann-is-refused')
    const [toSystem, toNobody, changed] = [newId(), newId(), newId()]
    await refusal(ann.publish({ id: toSystem, room: 'integriguard', channel: 'telemetry-stream' }))
    await refusal(ann.publish({ id: toNobody, type: 'private', channel: 'pm', metadata: { to: 'nobody' } }))
    await ann.publish({ id: changed, payload: { n: 1 } })
    await refusal(ann.publish({ id: changed, payload: { n: 2 } }))
    const refused = (id: string) =>
      collector.span(
        ({ attributes }) => attributes['messaging.message.id'] === id && attributes['arqonbus.outcome'] === 'refused',
      )
    for (const [id, code] of [
      [toSystem, 'system_channel'],
      [toNobody, 'client_not_found'],
      [changed, 'id_conflict'],
    ] as const) {
      const { status, attributes } = await refused(id)
      expect(status).toEqual({ code: 2, message: code })
      expect([attributes['error.type'], attributes['arqonbus.position']]).toEqual([code, undefined])
    }
  })

  test('the span of a message ends when the log has replied, and marks an unknown outcome', async () => {
    const slow = createSlowLog({ recent: 0 })
    const bus = await start({}, { log: slow.forBus })
    const eve = await bus.as('eve')
    const [known, unknown] = [newId(), newId()]
    const published = eve.publish({ id: known })
    await slow.until(({ arrivals }) => arrivals === 1)
    const onItsWayNs = BigInt(Date.now()) * 1_000_000n
    await slow.settle()
    await published
    slow.failNext('unknown, stored')
    const lost = refusal(eve.publish({ id: unknown }))
    await slow.until(({ arrivals }) => arrivals === 1)
    await slow.settle()
    expect((await lost).code).toBe('outcome_unknown')
    slow.flow()
    expect((await spanOf(known)).endNs).toBeGreaterThanOrEqual(onItsWayNs - CLOCKS_AGREE_NS)
    const { status, attributes } = await spanOf(unknown)
    expect([status, attributes['arqonbus.outcome']]).toEqual([{ code: 2, message: 'outcome_unknown' }, 'unknown'])
  })
})

describe('attributes of the server', () => {
  test('traces carry the name, version and node of the server unless the settings override them', async () => {
    const ann = await tracedBus.as('ann-asks')
    await ann.command('ping')
    await commandOf(ann, 'ping')
    expect(collector.requests.at(-1)).toMatchObject({
      path: '/v1/traces',
      resource: {
        'service.name': 'arqonbus',
        'service.version': expect.stringMatching(/^\d+\.\d+\.\d+$/),
        'service.instance.id': ann.welcome.node,
      },
    })
    const own = await start({
      otelServiceName: 'lab',
      otelResourceAttributes: new Map([
        ['service.name', 'other'],
        ['deployment.environment.name', 'a, b'],
      ]),
      otelExporterOtlpHeaders: new Map([
        ['X-Key', 'old'],
        ['x-team', 'a=b c'],
        ['content-type', 'text/plain'],
      ]),
      otelExporterOtlpTracesHeaders: new Map([['x-key', 'new']]),
    })
    const bob = await own.as('bob-asks')
    await bob.command('ping')
    await commandOf(bob, 'ping')
    const { resource, headers } = collector.requests.at(-1)!
    expect(resource).toMatchObject({ 'service.name': 'lab', 'deployment.environment.name': 'a, b' })
    expect([headers.get('x-key'), headers.get('x-team')]).toEqual(['new', 'a=b c'])
    expect(headers.get('user-agent')).toMatch(/^arqonbus\/\d/)
  })

  test('traces never contain a payload, metadata, a key or a session', async () => {
    const ann = await tracedBus.as('ann-hides')
    await ann.publish({ payload: { text: 'hunter2' }, metadata: { note: 'hunter3' } })
    await ann.command('pause_room', { room: 'science', admin_key: 'let-me-in' })
    await ann.command('resume_room', { room: 'science', admin_key: 'let-me-in' })
    await commandOf(ann, 'resume_room')
    const all = collector.requests.map(({ body }) => body).join('\n')
    expect(ann.welcome.session).toBeString()
    for (const secret of ['hunter2', 'hunter3', 'let-me-in', ann.welcome.session!]) expect(all).not.toContain(secret)
  })
})

describe('a sender’s traceparent', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const [sampled, unsampled] = [`00-${traceId}-00f067aa0ba902b7-01`, `00-${traceId}-00f067aa0ba902b8-00`]

  test.each(['all', 'none'] as const)(
    'a sampled traceparent gives the span its trace and its parent at any sampling ratio (%s)',
    async (which) => {
      const [ann, bob] = [await buses[which].as(`ann-${which}`), await buses[which].as(`bob-${which}`, 'science:t')]
      const id = newId()
      await ann.publish({ id, channel: 't', metadata: { traceparent: sampled, mine: [1] } })
      await ann.command('ping', undefined, { metadata: { traceparent: sampled } })
      for (const span of [await spanOf(id), await commandOf(ann, 'ping')])
        expect(span).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7' })
      const [copy] = await bob.messages()
      expect(copy?.metadata).toEqual({ ack: true, traceparent: sampled, mine: [1], position: expect.any(String) })
    },
  )

  test('an unsampled traceparent gives no span', async () => {
    const ann = await tracedBus.as('ann-unsampled')
    const [silent, heard] = [newId(), newId()]
    await ann.publish({ id: silent, metadata: { traceparent: unsampled } })
    await ann.command('ping', undefined, { metadata: { traceparent: unsampled } })
    // Later spans have arrived, so earlier ones would have too.
    await ann.publish({ id: heard })
    await spanOf(heard)
    const own = collector.spans.filter(({ attributes }) => attributes['arqonbus.client.id'] === ann.id)
    expect(own.map(({ attributes }) => attributes['messaging.message.id'])).toEqual([heard])
  })

  test('an unsampled traceparent is still the parent if the sampler takes everything', async () => {
    const ann = await buses.alwaysOn.as('ann-always')
    const id = newId()
    await ann.publish({ id, metadata: { traceparent: unsampled } })
    expect(await spanOf(id)).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b8' })
  })

  test('an invalid traceparent is refused and leaves no span', async () => {
    const ann = await tracedBus.as('ann-errs')
    const [wrong, heard] = [newId(), newId()]
    expect((await refusal(ann.publish({ id: wrong, metadata: { traceparent: `00-${traceId}` } }))).code).toBe(
      'invalid_envelope',
    )
    await ann.publish({ id: heard })
    await spanOf(heard)
    expect(collector.spans.some(({ attributes }) => attributes['messaging.message.id'] === wrong)).toBe(false)
  })
})

describe('messages without a traceparent', () => {
  const COUNT = 2000
  /** The number of these messages with a span, once the last one was sent. */
  const spansWith = async (share: number): Promise<number> => {
    const bus = await start({
      otelTracesSampler: 'traceidratio',
      otelTracesSamplerArg: share,
      otelBspMaxQueueSize: 2 * COUNT,
    })
    const ann = await bus.as(`ann-${share}`)
    for (let i = 0; i < COUNT; i++) ann.send({ channel: 'many' })
    await ann.command('ping')
    await bus.drain('all is sent')
    return collector.spans.filter(
      ({ name, attributes }) => name === 'publish' && attributes['arqonbus.client.id'] === ann.id,
    ).length
  }

  test('with a sampling ratio of 0 no message has a span, and with 1 every message has one', async () => {
    expect(await spansWith(0)).toBe(0)
    expect(await spansWith(1)).toBe(COUNT)
  })

  test('the share of messages that have a span is about the sampling ratio', async () => {
    // Seven standard deviations: once in 400 thousand million runs by chance.
    expect(Math.abs((await spansWith(0.25)) - COUNT / 4)).toBeLessThan(7 * Math.sqrt(COUNT * 0.25 * 0.75))
  })
})

withProgram('redis-server', 'with Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test('the span of a message covers Redis, and shows whether it was queued or refused because Redis is unreachable', async () => {
    const bus = await start({ redisUrl: redis.url, redisTimeoutMs: 60_000 })
    const ann = await bus.as('ann-stores')
    const [stored, held, refused] = [newId(), newId(), newId()]
    const { position } = await ann.publish({ id: stored, metadata: { ack: 'stored' } })
    await redis.kill()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
    await ann.publish({ id: held })
    await refusal(ann.publish({ id: refused, metadata: { ack: 'stored' } }))
    expect((await spanOf(stored)).attributes).toMatchObject({
      'arqonbus.outcome': 'appended',
      'arqonbus.position': position!,
    })
    const { attributes, status } = await spanOf(held)
    expect([status, attributes['arqonbus.outcome'], attributes['arqonbus.position']]).toEqual([{}, 'held', undefined])
    expect((await spanOf(refused)).status).toEqual({ code: 2, message: 'storage_unavailable' })
  })
})

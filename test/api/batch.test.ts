/** Batches: several messages in one request. */
import { expect, test } from 'bun:test'
import { eventually, startBus, type TestBus, textOf } from '@arqonbus/testing'
import { as, caller, messagesOf } from './call.ts'

const adminKey = 'k'.repeat(32)
const bus = await startBus({ adminKey, dedupWindowMs: 60_000, rateLimit: null })

type Outcome = { status: number; id?: string; position?: string; duplicate?: boolean; error?: { code: string } }
const send = (messages: readonly (object | string)[], headers: Record<string, string> = {}, at: TestBus = bus) => {
  const texts = messages.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  return caller(at.httpUrl)('/messages', { body: `{"messages":[${texts}]}`, headers })
}
const sent = async (...parameters: Parameters<typeof send>): Promise<Outcome[]> => {
  const { status, body } = await send(...parameters)
  expect(status).toBe(200)
  return body.results
}
const to = (channel: string, n: number) => ({ room: 'batch', channel, payload: { n } })

test('the messages of a batch are published in their order, to several channels, by one sender, byte for byte', async () => {
  const reader = await bus.as('reader', 'batch:a', 'batch:b')
  const payload = '{"big":12345678901234567890, "one":1.0,"z":1,"a":"\\u00e9\\ud800]}"}'
  const results = await sent([
    to('a', 1),
    ` { "payload" : ${payload} ,"channel":"b", "room":"batch"} `,
    { ...to('a', 3), metadata: { key: 'k' } },
  ])
  expect(results).toEqual(
    [1, 1, 2].map((n) => ({
      status: 201,
      id: expect.stringMatching(/^arq_/),
      position: expect.stringMatching(new RegExp(`^\\d+-${n}$`)),
      durability: 'memory',
      duplicate: false,
      recipients: 1,
    })),
  )
  const frames = await reader.messages()
  expect(frames.map(({ id }) => id)).toEqual(results.map(({ id }) => id!))
  expect(textOf(frames[1]!)).toContain(`"payload":${payload},"metadata":`)
  expect(frames[2]!.metadata).toMatchObject({ key: 'k' })
  expect(new Set(frames.map(({ from }) => from)).size).toBe(1)
})

test('a message of a batch that is refused has its own error, and does not stop those behind it', async () => {
  const reader = await bus.as('careful', 'batch:faults')
  const good = to('faults', 1)
  const results = await sent(
    [
      good,
      { ...good, room: undefined },
      { room: 'batch', channel: 'faults' },
      7,
      '"text"',
      { ...good, extra: 1 },
      { ...good, from: 'somebody' },
      { ...good, type: 'command', payload: { name: 'ping' } },
      { ...good, room: 'arqonbus' },
      { ...good, id: 'arq_own' },
      { ...good, id: 'arq_own' },
      { ...good, id: 'arq_own', payload: { n: 2 } },
      good,
    ].map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    as('svc'),
  )
  expect(results.map(({ status, error }) => [status, error?.code])).toEqual([
    [201, undefined],
    [400, 'invalid_envelope'],
    [400, 'invalid_envelope'],
    [400, 'invalid_envelope'],
    [400, 'invalid_envelope'],
    [400, 'invalid_envelope'],
    [403, 'sender_mismatch'],
    [400, 'invalid_envelope'],
    [403, 'system_channel'],
    [201, undefined],
    [200, undefined],
    [409, 'id_conflict'],
    [201, undefined],
  ])
  expect(await reader.messages()).toHaveLength(3)
})

test('long and short messages of a batch keep their order', async () => {
  const reader = await bus.as('patient', 'batch:long')
  const many = Array.from({ length: 20_000 }, (_, n) => n)
  const messages = Array.from({ length: 9 }, (_, n) => ({
    ...to('long', n),
    ...(n % 2 === 0 && { metadata: { many: n === 0 ? many : [] } }),
  }))
  expect((await sent(messages)).map(({ status }) => status)).toEqual(messages.map(() => 201))
  const read = await reader.messages()
  expect(read.map(({ payload }) => payload.n)).toEqual(messages.map((_, n) => n))
})

test('a body that is no list of messages is refused as a whole and says what to send', async () => {
  const call = caller(bus.httpUrl)
  const bodies = [
    '{}',
    '[]',
    '{"messages":{}}',
    '{"messages":[]}',
    '{"messages":[{}],"more":1}',
    '{"more":1,"messages":[{}]}',
    'null',
  ]
  for (const body of bodies) {
    const { status, body: answer } = await call('/messages', { body })
    expect([body, status, answer.error.code, answer.error.details.path]).toEqual([
      body,
      400,
      'invalid_parameters',
      '/messages',
    ])
    expect(answer.error.details.expected).toContain('{"messages": […]}')
  }
  for (const body of ['', '{"messages":[{}]', '{"messages":[{},]}'])
    expect([body, (await call('/messages', { body })).body.error.code]).toEqual([body, 'invalid_json'])
  const deep = (levels: number) => `{"messages":[{"payload":{"a":${'['.repeat(levels)}${']'.repeat(levels)}}}]}`
  expect((await call('/messages', { body: deep(1000) })).body.error.details.expected).toContain('nesting')
  expect((await call('/messages?limit=1', { body: '{"messages":[]}' })).status).toBe(400)
  expect(await send([to('a', 1)], { authorization: 'Bearer wrong' })).toMatchObject({ status: 401 })
})

test('a batch of more messages or bytes than allowed is refused as a whole, and counted', async () => {
  const small = await startBus({ apiBatch: 3, apiBatchBytes: 2048, maxMessageBytes: 512 })
  const limit = (name: string) => small.metric(`arqonbus_limits_hit_total{limit="${name}"}`)
  const batch = (count: number) => Array.from({ length: count }, (_, n) => to('few', n))
  expect(await sent(batch(3), {}, small)).toHaveLength(3)
  const { status, body } = await send(batch(4), {}, small)
  expect([status, body.error.code, body.error.details]).toEqual([
    400,
    'invalid_parameters',
    { path: '/messages', expected: 'at most 3 messages: ARQONBUS_API_BATCH', limit: 'batch_messages', most: 3 },
  ])
  expect([await limit('batch_messages'), await small.metric('arqonbus_limit{limit="batch_messages"}')]).toEqual([1, 3])
  const long = { ...to('few', 0), payload: { text: 'x'.repeat(600) } }
  // As long as a message may be, with all that is filled in.
  expect((await sent([to('few', 1), long], {}, small)).map(({ error }) => error?.code)).toEqual([
    undefined,
    'message_too_large',
  ])
  const over = await send([long, long, long, long], {}, small)
  expect([over.status, over.body.error]).toMatchObject([
    413,
    { code: 'message_too_large', details: { limit_bytes: 2048 } },
  ])
})

test('a batch costs as much of the rate as its messages, and is refused as a whole where there is too little', async () => {
  const slow = await startBus({ rateLimit: { perSecond: 0.01, burst: 10 } })
  const batch = (count: number) => Array.from({ length: count }, (_, n) => to('paid', n))
  const headers = as('payer')
  expect((await sent(batch(7), headers, slow)).map(({ status }) => status)).toEqual(batch(7).map(() => 201))
  const { status, body, headers: answered } = await send(batch(4), headers, slow)
  expect([status, body.error.code, body.error.retry_after_ms]).toEqual([429, 'rate_limited', expect.any(Number)])
  // One token is there every 100 s.
  expect(body.error.retry_after_ms).toBeWithin(90_000, 100_001)
  expect(Number(answered.get('retry-after'))).toBe(Math.ceil(body.error.retry_after_ms / 1000))
  expect(await sent(batch(3), headers, slow)).toHaveLength(3)
  const path = messagesOf('batch', 'paid')
  expect((await caller(slow.httpUrl)(path, { body: '{"payload":{}}', headers })).status).toBe(429)
  expect((await caller(slow.httpUrl)(path)).body.messages).toHaveLength(10)
  // No batch can be paid that is larger than the burst.
  expect((await send(batch(11), headers, slow)).body.error.details).toEqual({
    path: '/messages',
    expected: 'at most 10 messages: ARQONBUS_RATE_LIMIT',
    limit: 'batch_messages',
    most: 10,
  })
})

test('a batch with private messages and telemetry has the outcomes that these have', async () => {
  const carl = await bus.as('carl')
  const dora = await bus.as('dora')
  const letter = { room: 'batch', channel: 'pm', type: 'private', payload: { text: 'psst' }, metadata: { to: 'dora' } }
  const event = {
    room: 'integriguard',
    channel: 'telemetry-stream',
    type: 'telemetry',
    payload: { eventType: 'x', payload: {} },
  }
  const headers = { ...as('carl'), 'arqonbus-session': carl.welcome.session }
  expect((await sent([letter, event], headers)).map(({ status }) => status)).toEqual([201, 202])
  expect((await dora.next(({ type }) => type === 'private')).payload).toEqual({ text: 'psst' })
  expect(await sent([letter], as('nobody'))).toMatchObject([{ status: 403, error: { code: 'forbidden' } }])
})

test('a list that was read before a batch is read anew after it', async () => {
  const call = caller(bus.httpUrl)
  const names = async () =>
    (await call('/channels?room=lists')).body.channels?.map(({ name }: { name: string }) => name)
  await sent([{ room: 'lists', channel: 'one', payload: {} }])
  expect(await names()).toEqual(['one'])
  await sent([{ room: 'lists', channel: 'two', payload: {} }])
  await eventually(async () => expect(await names()).toEqual(['one', 'two']))
})

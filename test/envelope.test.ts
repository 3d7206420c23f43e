/** The form of delivered messages (docs/protocol.md#the-envelope). */
import { expect, test } from 'bun:test'
import { compile, DeliveredEnvelope } from '@arqonbus/protocol'
import { exactEnvelopes, validEnvelopes, textOf as vectorText } from '@arqonbus/protocol/vectors'
import { type Frame, type Publish, refusal, startBus, testClock, textOf } from '@arqonbus/testing'

const clock = testClock()
const bus = await startBus({ rateLimit: null, maxViolations: 1000 }, { clock })
const isoNow = () => new Date(clock.now()).toISOString()

/** The text of an envelope up to its payload, as the bus writes it. */
const head = ({ id, type, room, channel, from }: Pick<Frame, 'id' | 'type' | 'room' | 'channel' | 'from'>) =>
  `{"version":"1.0","id":"${id}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"${isoNow()}","payload":`

test('payload and metadata of every accepted message arrive byte for byte, with the position as last metadata key', async () => {
  // Without acknowledgements, which another file tests: the vectors share one id.
  const messages = [...exactEnvelopes, ...validEnvelopes].filter(
    ({ type, room, from, metadata }) =>
      type === 'event' &&
      room !== 'arqonbus' &&
      from !== 'arqonbus' &&
      !('ack' in JSON.parse(vectorText(metadata ?? '{}'))),
  )
  expect(messages.length).toBeGreaterThan(100)
  const listener = await bus.as('listener', ...new Set(messages.map(({ room }) => `${room}:*`)))
  const senders = new Map(
    await Promise.all(
      [...new Set(messages.map(({ from }) => from))].map(async (id) => [id, await bus.as(id)] as const),
    ),
  )
  for (const vector of messages) {
    const sender = senders.get(vector.from)!
    clock.advance(1)
    sender.raw(vectorText(vector.frame))
    expect({ name: vector.name, answers: await sender.everything() }).toEqual({ name: vector.name, answers: [] })
    const [frame, ...more] = await listener.messages()
    expect(more).toEqual([])
    const { position } = frame!.metadata!
    const metadata = vectorText(vector.metadata ?? '{}').slice(0, -1)
    const isEmpty = Object.keys(frame!.metadata!).length === 1
    expect(textOf(frame!)).toBe(
      `${head(vector)}${vectorText(vector.payload)},"metadata":${metadata}${isEmpty ? '' : ','}"position":"${position}"}}`,
    )
  }
})

test('history returns envelopes byte for byte as they were delivered', async () => {
  const reader = await bus.as('reader', 'exact:a')
  const payload =
    '{"big":9007199254740993,"one":1.0,"huge":1e400,"twice":1,"twice":2,"half":"\\ud800","same":"\\u0041"}'
  const metadata = '{"ack":true,"z":1.50,"a":[ ]}'
  const envelope = `{"version":"1.0","id":"arq_exact","type":"event","room":"exact","channel":"a","from":"reader","timestamp":"1999-12-31T23:59:59Z"`
  reader.raw(`${envelope},"payload":${payload},"metadata":${metadata}}`)
  const delivered = await reader.next((frame) => frame.type === 'event')
  expect(textOf(delivered)).toContain(`"payload":${payload},"metadata":${metadata.slice(0, -1)},"position":`)
  const id = reader.send({ type: 'command', payload: { name: 'history', parameters: { channel: 'exact:a' } } })
  const answer = await reader.next((frame) => frame.payload.request_id === id)
  expect(textOf(answer)).toContain(`"messages":[${textOf(delivered)}]`)
})

test('a private message arrives byte for byte and has its own position in each inbox', async () => {
  const [sender, recipient] = await Promise.all([bus.as('from-here'), bus.as('to-there')])
  await recipient.publish({ type: 'private', channel: 'pm', metadata: { to: 'to-there' } })
  const rest = `"payload":{"n":1.0},"metadata":{"to":"to-there","x":"\\u0041"`
  sender.raw(
    `{"version":"1.0","id":"arq_p","type":"private","room":"a","channel":"pm","from":"from-here","timestamp":"2026-01-01T00:00:00Z",${rest}}}`,
  )
  const [own] = await sender.messages()
  const [, theirs] = await recipient.messages()
  expect(textOf(own!)).toEndWith(`${rest},"position":"${clock.now()}-1"}}`)
  expect(textOf(theirs!)).toEndWith(`${rest},"position":"${clock.now()}-2"}}`)
})

test('telemetry arrives byte for byte with a new timestamp and without a position', async () => {
  const client = await bus.as('meter', 'integriguard:telemetry-stream')
  const rest = `"payload":{"eventType":"load","payload":{"n":1.0}},"metadata":{ }}`
  client.raw(
    `{"version":"1.0","id":"arq_t","type":"telemetry","room":"integriguard","channel":"telemetry-stream","from":"meter","timestamp":"2026-01-01T00:00:00Z",${rest}`,
  )
  const frame = await client.next(({ id }) => id === 'arq_t')
  expect(textOf(frame)).toEndWith(`"timestamp":"${isoNow()}",${rest}`)
})

test('a delivered message carries the server’s timestamp, that of its position, and not the sender’s', async () => {
  const client = await bus.as('late', 'time:a')
  clock.advance(1234)
  for (const timestamp of ['1970-01-01T00:00:00Z', '2999-12-31T23:59:59.999999999+14:00']) {
    const { position } = await client.publish({ room: 'time', channel: 'a', timestamp })
    const [frame] = await client.messages()
    expect(frame).toMatchObject({ timestamp: isoNow(), metadata: { position } })
    expect(position).toStartWith(`${clock.now()}-`)
  }
})

test('a timestamp that does not exist is refused with what is accepted, and a Python date without an offset is taken', async () => {
  const client = await bus.as('python', 'python:a')
  for (const timestamp of ['2026-02-30T12:00:00Z', '2026-11-21T25:00', '2026-W54-1T12:00:00', '2026-11-21 12:00:00']) {
    expect(await refusal(client.publish({ room: 'python', channel: 'a', timestamp }))).toMatchObject({
      code: 'invalid_envelope',
      details: { path: '/timestamp', expected: expect.stringContaining('ISO 8601, such as `2026-11-21T12:00:00Z`') },
    })
  }
  expect(await client.messages()).toEqual([])
  await client.publish({ room: 'python', channel: 'a', timestamp: '2026-11-30T12:00:00.123456' })
  expect(await client.messages()).toMatchObject([{ timestamp: isoNow() }])
})

test('a clock that is set back moves neither positions nor timestamps back', async () => {
  const client = await bus.as('back', 'time:back')
  const before = await client.publish({ room: 'time', channel: 'back' })
  const time = isoNow()
  clock.step(-60_000)
  const after = await client.publish({ room: 'time', channel: 'back' })
  clock.step(60_000)
  const [ms, n] = before.position!.split('-').map(Number)
  expect(after.position).toBe(`${ms}-${n! + 1}`)
  expect((await client.messages()).map(({ timestamp }) => timestamp)).toEqual([time, time])
})

test('metadata keys of the bus are delivered as sent, together with application keys', async () => {
  const client = await bus.as('labels', 'labels:a')
  const metadata = {
    ack: { level: 'memory', replicas: 0 },
    cause: 'arq_before',
    key: 'temperature',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    to: ['anybody'],
    Position: 'mine',
    theirs: { deep: [1] },
  }
  const { position } = await client.publish({ room: 'labels', channel: 'a', metadata })
  const [frame] = await client.messages()
  expect(frame!.metadata as object).toEqual({ ...metadata, position })
  expect(Object.keys(frame!.metadata!).at(-1)).toBe('position')
})

test('metadata keys reserved for the server are refused in every spelling, and nothing is delivered', async () => {
  const client = await bus.as('forger', 'forged:a')
  const keys = ['position', 'provisional', 'arq_', 'arq_anything', '\\u0070osition', '\\u0061rq_x']
  for (const key of keys) {
    const id = `arq_${keys.indexOf(key)}`
    client.raw(
      `{"version":"1.0","id":"${id}","type":"event","room":"forged","channel":"a","from":"forger","timestamp":"2026-01-01T00:00:00Z","payload":{},"metadata":{"${key}":"1-1"}}`,
    )
    expect(await client.answer(id)).toMatchObject({ status: 'error', error: { code: 'invalid_envelope', status: 400 } })
  }
  expect(await client.messages()).toEqual([])
})

test('a bus metadata key with an invalid value is refused with its path', async () => {
  const client = await bus.as('sloppy')
  const wrong: [object, string][] = [
    [{ ack: 'always' }, '/metadata/ack'],
    [{ ack: { level: 'disk', copies: 1 } }, '/metadata/ack'],
    [{ cause: 'before' }, '/metadata/cause'],
    [{ key: '' }, '/metadata/key'],
    [{ key: 'x'.repeat(257) }, '/metadata/key'],
    [{ traceparent: '00-0-0-0' }, '/metadata/traceparent'],
    [{ to: [] }, '/metadata/to'],
  ]
  for (const [metadata, path] of wrong) {
    const { error } = await client.answer(client.send({ metadata: metadata as Publish['metadata'] }))
    expect(error).toMatchObject({ code: 'invalid_envelope', details: { path: expect.stringContaining(path) } })
  }
})

test('an event to the channel pm and a private message to any other channel are refused', async () => {
  const client = await bus.as('mixed-up')
  const wrong: Publish[] = [
    { type: 'event', channel: 'pm' },
    { type: 'private', channel: 'general', metadata: { to: 'mixed-up' } },
    { type: 'private', channel: '*', metadata: { to: 'mixed-up' } },
    { type: 'private', channel: 'pm' },
    { type: 'private', channel: 'pm', metadata: {} },
  ]
  for (const fields of wrong)
    expect((await client.answer(client.send(fields))).error).toMatchObject({ code: 'invalid_envelope' })
})

test('a client cannot send in the name of another client or of the server', async () => {
  const [client] = await Promise.all([bus.as('myself'), bus.as('somebody')])
  for (const from of ['somebody', 'nobody', 'arqonbus', 'Myself']) {
    const { error } = await client.answer(client.send({ from }))
    expect(error).toMatchObject({
      code: 'sender_mismatch',
      status: 403,
      details: { path: '/from', expected: 'myself' },
    })
  }
  for (const type of ['system', 'command_response'] as const) {
    const { error } = await client.answer(client.send({ type }))
    expect(error).toMatchObject({ code: 'forbidden_type', status: 403, details: { path: '/type' } })
  }
})

test('every frame that the server originates is an envelope from `arqonbus`, and replies name their request', async () => {
  const check = compile(DeliveredEnvelope)
  const client = await bus.as('critic')
  const ping = client.send({ type: 'command', payload: { name: 'ping' } })
  const publish = client.send({ room: 'critic', channel: 'a', metadata: { ack: true } })
  const refused = client.send({ from: 'another' })
  const unknown = client.send({ type: 'command', payload: { name: 'no-such\ncommand' } })
  client.raw('this is not JSON')
  client.raw(`{"version":"1.0","id":"not an id"}`)
  const frames = (await client.everything()).filter(({ type }) => type === 'command_response')
  for (const frame of frames) {
    expect(check(frame)).toBeUndefined()
    expect(frame).toMatchObject({ from: 'arqonbus', room: 'arqonbus', channel: 'control', timestamp: isoNow() })
    expect(frame.metadata).toBeUndefined()
  }
  expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length)
  const failed = (code: string, status: number) =>
    expect.objectContaining({ code, status, message: expect.any(String) })
  expect(frames.map(({ payload }) => payload)).toEqual([
    {
      request_id: ping,
      command: 'ping',
      requester: client.id,
      status: 'success',
      response_format: 'ping_result',
      result: { pong: true, timestamp: isoNow() },
    },
    {
      request_id: publish,
      status: 'success',
      response_format: 'publish_result',
      result: { position: `${clock.now()}-1`, durability: 'memory', duplicate: false, recipients: 0 },
    },
    { request_id: refused, status: 'error', error: failed('sender_mismatch', 403) },
    { request_id: unknown, requester: client.id, status: 'error', error: failed('unknown_command', 404) },
    { request_id: null, status: 'error', error: failed('invalid_json', 400) },
    { request_id: null, status: 'error', error: failed('invalid_envelope', 400) },
  ])
})

test('without a requested acknowledgement an accepted message gets no reply, and a refused one gets an error', async () => {
  const client = await bus.as('curt')
  client.send({ room: 'curt', channel: 'a' })
  client.send({ room: 'curt', channel: 'a', metadata: { ack: false } })
  expect(await client.everything()).toEqual([])
  const id = client.send({ room: 'arqonbus', channel: 'control' })
  expect(await client.answer(id)).toMatchObject({ status: 'error', error: { code: 'system_channel' } })
  expect(await refusal(client.publish({ room: 'arqonbus', channel: 'control' }))).toMatchObject({
    code: 'system_channel',
  })
})

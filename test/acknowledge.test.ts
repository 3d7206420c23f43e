/**
 * Acknowledgements: their content and their guarantees, and messages that are sent again
 * (docs/protocol.md#acknowledgement).
 */
import { describe, expect, test } from 'bun:test'
import { compile, PublishResult } from '@arqonbus/protocol'
import { type Frame, type Publish, refusal, startBus, testClock } from '@arqonbus/testing'

const clock = testClock()
const bus = await startBus({ rateLimit: null, adminKey: 'let-me-in', historySize: 5 }, { clock })
const client = await bus.as('client')

const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)

describe('an acknowledgement', () => {
  test('an acknowledgement gives the position, the durability level and the number of recipients', async () => {
    const [one, two, three] = await Promise.all([
      bus.as('one', 'counted:a'),
      bus.as('two', 'counted:a', 'counted:*'),
      bus.as('three', 'counted:*'),
    ])
    const result = await client.publish({ room: 'counted', channel: 'a' })
    expect(compile(PublishResult)(result)).toBeUndefined()
    expect(result).toEqual({
      position: expect.stringMatching(/^\d+-1$/),
      durability: 'memory',
      duplicate: false,
      recipients: 3,
    })
    for (const listener of [one, two, three]) {
      expect((await listener.messages()).map((frame) => frame.metadata!.position)).toEqual([result.position!])
    }
    expect(await client.publish({ room: 'unheard', channel: 'a' })).toMatchObject({ recipients: 0 })
    expect(await client.publish({ room: 'counted', channel: '*' })).toMatchObject({
      position: expect.stringMatching(/^\d+-1$/),
      recipients: 3,
    })
  })

  test('an acknowledgement arrives after the sender’s own copy of the message', async () => {
    const sender = await bus.as('sender', 'ack:own')
    const id = sender.send({ room: 'ack', channel: 'own', metadata: { ack: true } })
    const frames = await sender.everything()
    expect(frames.map((frame) => (frame.type === 'event' ? frame.id : frame.payload.request_id))).toEqual([id, id])
    expect(frames.map(({ type }) => type)).toEqual(['event', 'command_response'])
  })

  test('each message gets one acknowledgement, in the order sent', async () => {
    const ids = Array.from({ length: 20 }, () => client.send({ room: 'ack', channel: 'many', metadata: { ack: true } }))
    expect((await client.everything()).map((frame) => frame.payload.request_id)).toEqual(ids)
  })

  test.each([[true], ['memory'], [{}], [{ level: 'memory' }], [{ replicas: 0 }], [{ level: 'memory', replicas: 0 }]])(
    'a durability request that the log can meet is accepted: %j',
    async (ack) => {
      expect(await client.publish({ room: 'ack', channel: 'levels', metadata: { ack } })).toMatchObject({
        durability: 'memory',
      })
    },
  )

  test.each([['stored'], ['disk'], [{ level: 'disk' }], [{ replicas: 1 }], [{ level: 'memory', replicas: 1 }]])(
    'a durability request that the log cannot meet is refused, and the message is neither delivered nor kept: %j',
    async (ack) => {
      const listener = await bus.connect({ query: { join: 'ack:refused' } })
      expect(await refusal(client.publish({ room: 'ack', channel: 'refused', metadata: { ack } }))).toMatchObject({
        code: 'storage_unavailable',
        status: 503,
        details: { available: { level: 'memory', replicas: 0 } },
      })
      expect(await listener.messages()).toEqual([])
      expect(await client.command('history', { channel: 'ack:refused' })).toMatchObject({
        messages: [],
        last: expect.stringMatching(/-0$/),
      })
    },
  )
})

describe('messages that are sent again', () => {
  const message = (id: string, fields: Publish = {}): Publish => ({
    id,
    room: 'again',
    channel: 'a',
    payload: { n: 1 },
    ...fields,
  })

  test('a message sent again is acknowledged with its first position and `duplicate: true`, and is not delivered again', async () => {
    const listener = await bus.as('listener', 'again:twice')
    const twice = (id: string, fields: Publish = {}) => message(id, { channel: 'twice', ...fields })
    const first = await client.publish(twice('arq_twice'))
    clock.advance(60_000)
    await client.publish(twice('arq_between', { payload: { n: 2 } }))
    for (const timestamp of ['2026-01-02T03:04:05Z', '1999-01-01T00:00:00Z']) {
      expect(await client.publish(twice('arq_twice', { timestamp }))).toEqual({ ...first, duplicate: true })
    }
    expect(contents(await listener.messages())).toEqual([1, 2])
    expect(contents((await client.command('history', { channel: 'again:twice' })).messages)).toEqual([1, 2])
    expect((await client.publish(twice('arq_next', { payload: { n: 3 } }))).position).toEndWith('-3')
    await listener.close()
  })

  test('a message sent again is a duplicate with any acknowledgement level, trace context and order of metadata keys', async () => {
    const metadata = { a: 1, b: { c: [2] }, key: 'k' }
    await client.publish(message('arq_same', { metadata }))
    const again = [
      { ...metadata, ack: 'memory' },
      { ...metadata, ack: { level: 'memory' }, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      { key: 'k', b: { c: [2] }, a: 1 },
    ]
    for (const other of again)
      expect(await client.publish(message('arq_same', { metadata: other }))).toMatchObject({ duplicate: true })
  })

  const conflicts: [string, Publish][] = [
    ['payload', { payload: { n: 2 } }],
    ['users’ metadata', { metadata: { a: 2 } }],
    ['one more key of metadata', { metadata: { a: 1, b: 1 } }],
    ['no metadata', { metadata: {} }],
  ]
  test.each(conflicts)(
    'an id sent again with other content (%s) is refused with id_conflict and not delivered',
    async (what, fields) => {
      const id = `arq_conflict-${conflicts.findIndex(([name]) => name === what)}`
      const original = message(id, { metadata: { a: 1 } })
      await client.publish(original)
      const listener = await bus.connect({ query: { join: 'again:a' } })
      expect(await refusal(client.publish({ ...original, ...fields }))).toMatchObject({
        code: 'id_conflict',
        status: 409,
        details: { id },
      })
      expect(await listener.messages()).toEqual([])
      expect(await client.publish(original)).toMatchObject({ duplicate: true })
      await listener.close()
    },
  )

  test('a message id is remembered only for its sender and its channel', async () => {
    const other = await bus.as('other')
    for (const [sender, fields] of [
      [client, {}],
      [other, {}],
      [client, { channel: 'b' }],
      [client, { channel: '*' }],
      [client, { room: 'another' }],
    ] as const) {
      expect(await sender.publish(message('arq_shared', fields))).toMatchObject({ duplicate: false })
      expect(await sender.publish(message('arq_shared', fields))).toMatchObject({ duplicate: true })
    }
  })

  test('a message sent again on a new connection of the same client is recognised as a duplicate', async () => {
    const before = await bus.as('reborn')
    const first = await before.publish(message('arq_reborn'))
    before.socket.terminate()
    const after = await bus.connect({
      query: { client_id: 'reborn' },
      headers: { 'arqonbus-session': before.welcome.session },
    })
    expect(await after.publish(message('arq_reborn'))).toEqual({ ...first, duplicate: true })
  })

  test('a message that is no longer in the history is still recognised as a duplicate', async () => {
    const first = await client.publish(message('arq_trimmed', { channel: 'trimmed' }))
    for (let n = 0; n < 10; n++) await client.publish(message(`arq_trim-${n}`, { channel: 'trimmed' }))
    expect((await client.command('history', { channel: 'again:trimmed' })).messages).toHaveLength(5)
    expect(await client.publish(message('arq_trimmed', { channel: 'trimmed' }))).toEqual({ ...first, duplicate: true })
  })

  test('a duplicate from a client with echo=false is acknowledged', async () => {
    const quiet = await bus.connect({ query: { client_id: 'quiet', join: 'again:quiet', echo: 'false' } })
    const first = await quiet.publish(message('arq_quiet', { channel: 'quiet' }))
    expect(await quiet.publish(message('arq_quiet', { channel: 'quiet' }))).toEqual({ ...first, duplicate: true })
    expect(await quiet.everything()).toEqual([])
  })

  test('a message whose first attempt was refused is new when it is sent again', async () => {
    await client.publish(message('arq_before', { room: 'paused' }))
    await client.command('pause_room', { room: 'paused', admin_key: 'let-me-in' })
    expect(await refusal(client.publish(message('arq_refused', { room: 'paused' })))).toMatchObject({
      code: 'room_paused',
    })
    await client.command('resume_room', { room: 'paused', admin_key: 'let-me-in' })
    expect(await client.publish(message('arq_refused', { room: 'paused' }))).toMatchObject({ duplicate: false })
  })

  test('a message that is sent again after its channel was deleted and recreated is new', async () => {
    await client.publish(message('arq_deleted', { channel: 'deleted' }))
    await client.command('delete_channel', { channel: 'again:deleted' })
    expect(await client.publish(message('arq_deleted', { channel: 'deleted' }))).toMatchObject({ duplicate: false })
  })

  test('a message id is remembered for two minutes, and the same message is new after them', async () => {
    const listener = await bus.connect({ query: { join: 'again:window' } })
    const once = message('arq_window', { channel: 'window' })
    clock.advance(1000)
    const first = await client.publish(once)
    clock.advance(60_000)
    await client.publish(message('arq_younger', { channel: 'elsewhere' }))
    clock.advance(60_000)
    expect(await client.publish(once)).toEqual({ ...first, duplicate: true })
    clock.advance(1)
    expect(await client.publish(once)).toMatchObject({ position: `${clock.now()}-2`, duplicate: false })
    expect(contents(await listener.messages())).toEqual([1, 1])
  })
})

describe('full deduplication memory', async () => {
  const fullClock = testClock()
  const full = await startBus({ rateLimit: null, dedupBytes: 64 * 1024 }, { clock: fullClock })
  const sender = await full.as('sender')

  test('with deduplication memory full, publishes with `ack` are refused and others accepted until ids expire', async () => {
    const publish = (n: number) => sender.publish({ id: `arq_${n}`, room: 'full', channel: 'a', payload: { n } })
    const first = await publish(0)
    let n = 0
    const failure = await refusal(
      (async () => {
        while (n < 5000) await publish(++n)
      })(),
    )
    expect(failure).toMatchObject({
      code: 'rate_limited',
      status: 429,
      details: { limit: 'dedup_bytes' },
      retry_after_ms: expect.any(Number),
    })
    expect(n).toBeWithin(500, 5000)
    expect((await sender.command('history', { channel: 'full:a', order: 'desc', limit: 1 })).messages).toMatchObject([
      { payload: { n: n - 1 } },
    ])

    expect(await publish(0)).toEqual({ ...first, duplicate: true })
    expect(await publish(n - 1)).toMatchObject({ duplicate: true })
    sender.send({ room: 'full', channel: 'a', payload: { n: -1 } })
    expect((await sender.command('history', { channel: 'full:a', order: 'desc', limit: 1 })).messages).toMatchObject([
      { payload: { n: -1 } },
    ])
    expect(await sender.everything()).toEqual([])

    fullClock.advance(120_001)
    expect(await publish(n)).toMatchObject({ duplicate: false })
  })
})

test('a message that the log refuses is logged without any of its content', async () => {
  const lines: Record<string, unknown>[] = []
  const note = (line: Record<string, unknown>) => void lines.push(line)
  const noted = await startBus({}, { logger: { debug: note, info: note, warn: note, error: note } })
  const ann = await noted.as('ann')
  await ann.publish({ id: 'arq_same', room: 'ack', channel: 'lines', payload: { text: 'first' } })
  const again = ann.publish({ id: 'arq_same', room: 'ack', channel: 'lines', payload: { text: 'secret' } })
  expect(await refusal(again)).toMatchObject({ code: 'id_conflict' })
  const refused = lines.filter(({ event }) => event === 'frame_refused')
  expect(refused).toEqual([
    {
      event: 'frame_refused',
      client_id: 'ann',
      address: '127.0.0.1',
      room: 'ack',
      channel: 'lines',
      code: 'id_conflict',
    },
  ])
  expect(JSON.stringify(lines)).not.toContain('secret')
})

import { describe, expect, test } from 'bun:test'
import { startBus, textOf } from '@arqonbus/testing'
import { as, caller, messagesOf } from './call.ts'

const adminKey = 'k'.repeat(32)
const bus = await startBus({ adminKey, dedupWindowMs: 60_000 })
const call = caller(bus.httpUrl)

describe('publishing by HTTP', () => {
  test('a message published by HTTP is acknowledged with its position and reaches subscribers byte for byte', async () => {
    const reader = await bus.as('reader', 'science:bytes')
    const payload = '{"big":12345678901234567890, "one":1.0,"z":1,"a":"\\u00e9\\ud800"}'
    const { status, body } = await call(messagesOf('science', 'bytes'), { body: `{ "payload":${payload}}` })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^arq_/),
      position: expect.stringMatching(/^\d+-1$/),
      durability: 'memory',
      duplicate: false,
      recipients: 1,
    })
    const frame = await reader.next(({ id }) => id === body.id)
    expect(frame).toMatchObject({
      type: 'event',
      room: 'science',
      channel: 'bytes',
      metadata: { position: body.position },
    })
    expect(frame.from).toMatch(/^api-/)
    expect(textOf(frame)).toContain(`"payload":${payload},"metadata":`)
  })

  test('an id sent again by HTTP gets its first position and one delivery, and other content is refused', async () => {
    const reader = await bus.as('counter', 'science:twice')
    const send = (text: string) =>
      call(messagesOf('science', 'twice'), {
        body: `{"id":"arq_same","payload":{"text":"${text}"}}`,
        headers: as('svc'),
      })
    const first = await send('one')
    const again = await send('one')
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toEqual({ ...first.body, duplicate: true })
    expect(await send('two')).toMatchObject({ status: 409, body: { error: { code: 'id_conflict' } } })
    await call(messagesOf('science', 'twice'), { body: '{"payload":{"text":"after"}}' })
    const texts = (await reader.messages()).map(({ payload }) => payload.text)
    expect(texts).toEqual(['one', 'after'])
  })

  test('a publish by HTTP with an id of its own is refused without a client id', async () => {
    const { status, body } = await call(messagesOf('science', 'x'), { body: '{"id":"arq_1","payload":{}}' })
    expect([status, body.error.code, body.error.details.path]).toEqual([
      400,
      'invalid_parameters',
      '/headers/arqonbus-client-id',
    ])
  })

  test('a publish by HTTP may hold a whole envelope, which must agree with the path and the caller', async () => {
    const envelope = (changes: object) =>
      JSON.stringify({
        version: '1.0',
        id: 'arq_whole',
        type: 'event',
        room: 'science',
        channel: 'whole',
        from: 'svc',
        timestamp: '2026-01-01T00:00:00Z',
        payload: {},
        ...changes,
      })
    const send = (changes: object) =>
      call(messagesOf('science', 'whole'), { body: envelope(changes), headers: as('svc') })
    expect((await send({})).status).toBe(201)
    const wrong: [object, number, string, string][] = [
      [{ room: 'art' }, 400, 'invalid_envelope', '/room'],
      [{ channel: 'other' }, 400, 'invalid_envelope', '/channel'],
      [{ from: 'somebody' }, 403, 'sender_mismatch', '/from'],
      [{ type: 'command', payload: { name: 'ping' } }, 400, 'invalid_envelope', '/type'],
      [{ type: 'system' }, 403, 'forbidden_type', '/type'],
    ]
    for (const [changes, status, code, path] of wrong) {
      const answered = await send(changes)
      expect([answered.status, answered.body.error.code, answered.body.error.details.path]).toEqual([
        status,
        code,
        path,
      ])
    }
  })

  test('by HTTP a broadcast reaches the whole room, a private message its recipient, telemetry its subscribers', async () => {
    const reader = await bus.as('ada', 'art:main', 'integriguard:telemetry-stream')
    expect((await call(messagesOf('art', '*'), { body: '{"payload":{"to":"all"}}' })).status).toBe(201)
    expect((await reader.next(({ channel }) => channel === '*')).payload).toEqual({ to: 'all' })
    const telemetry = '{"type":"telemetry","payload":{"eventType":"build","payload":{}}}'
    const { status, body } = await call(messagesOf('integriguard', 'telemetry-stream'), { body: telemetry })
    expect([status, body.position]).toEqual([202, null])
    await reader.next(({ type, payload }) => type === 'telemetry' && payload.eventType === 'build')
  })

  test('a call in the name of a connected client is refused without its session or the admin key', async () => {
    const client = await bus.as('bob')
    const body = '{"payload":{}}'
    const path = messagesOf('science', 'names')
    expect(await call(path, { body, headers: as('bob') })).toMatchObject({
      status: 409,
      body: { error: { code: 'client_id_in_use', details: { client_id: 'bob' } } },
    })
    const withSession = (session: string) =>
      call(path, { body, headers: { ...as('bob'), 'arqonbus-session': session } })
    expect((await withSession(client.welcome.session)).status).toBe(201)
    expect(await withSession('made-up')).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } })
    const asAdmin = { ...as('bob'), authorization: `Bearer ${adminKey}` }
    expect((await call(path, { body, headers: asAdmin })).status).toBe(201)
  })

  test('private messages and inboxes are accessible by HTTP only with a session', async () => {
    const carl = await bus.as('carl')
    const dora = await bus.as('dora')
    const path = messagesOf('science', 'pm')
    const body = '{"type":"private","payload":{"text":"psst"},"metadata":{"to":"dora"}}'
    expect(await call(path, { body, headers: as('nobody') })).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', details: { path: '/headers/arqonbus-session' } } },
    })
    const proof = { ...as('carl'), 'arqonbus-session': carl.welcome.session }
    expect((await call(path, { body, headers: proof })).status).toBe(201)
    expect((await dora.next(({ type }) => type === 'private')).payload).toEqual({ text: 'psst' })
    const inbox = messagesOf('arqonbus', 'inbox')
    expect((await call(inbox, { headers: proof })).body.messages).toHaveLength(1)
    expect((await call(inbox, { headers: { ...as('carl'), authorization: `Bearer ${adminKey}` } })).status).toBe(403)
    await dora.close()
    // A kept session of a disconnected client is as private as that of a connected one.
    expect((await call(inbox, { headers: as('dora') })).status).toBe(409)
  })

  test('a wrong token is refused with 401, and the admin key gives a call the admin role', async () => {
    await call(messagesOf('raised', 'x'), { body: '{"payload":{}}' })
    const pause = (token?: string) =>
      call('/commands/pause_room', {
        body: '{"room":"raised"}',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
    expect((await pause('wrong')).body.error.code).toBe('unauthenticated')
    expect((await pause()).body.error.code).toBe('forbidden')
    expect((await pause(adminKey)).status).toBe(200)
    expect(await call(messagesOf('raised', 'x'), { body: '{"payload":{}}' })).toMatchObject({
      status: 409,
      body: { error: { code: 'room_paused' } },
    })
    await call('/commands/resume_room', {
      body: '{"room":"science"}',
      headers: { authorization: `Bearer ${adminKey}` },
    })
  })
})

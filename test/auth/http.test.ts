/** Calls, streams and the other ports with tokens (docs/protocol.md#authentication). */
import { describe, expect, test } from 'bun:test'
import { open, startBus, testClock } from '@arqonbus/testing'
import { bearer, createIssuer, forgedTokens } from '@arqonbus/testing/tokens'
import { as, caller, messagesOf, openStreamAt, streamOf } from '../api/call.ts'
import { refusedWith } from './refused.ts'

const issuer = await createIssuer()
const clock = testClock()
const adminKey = 'correct-horse-battery-staple'
const bus = await startBus(
  { ...issuer.config, adminKey, authFailureRate: null, maxStreamTickets: 3, consoleBusUrl: undefined },
  { clock },
)
const call = caller(bus.httpUrl)
const token = (sub: string, claims = {}) => issuer.token(sub, { now: clock.now(), claims })
const payload = (value: object) => JSON.stringify({ payload: value })

describe('a call', () => {
  test('needs a token, whatever it asks for', async () => {
    const calls: [path: string, body?: string][] = [
      ['/rooms'],
      ['/status'],
      ['/series'],
      [messagesOf('news', 'all')],
      [messagesOf('news', 'all'), payload({})],
      ['/messages', '{"messages":[]}'],
      ['/commands/revoke', '{"sub":"ada"}'],
      ['/stream-ticket', ''],
      [streamOf('news:all')],
    ]
    for (const [path, body] of calls) {
      const { status, body: answer } = await call(path, body === undefined ? {} : { body })
      expect([path, status, answer.error.code]).toEqual([path, 401, 'unauthenticated'])
    }
  })
  test('is of the subject of its token: no header is needed, and none can say otherwise', async () => {
    const headers = bearer(await token('ada'))
    const { status, body } = await call(messagesOf('news', 'all'), { body: payload({ n: 1 }), headers })
    expect([status, body.duplicate]).toEqual([201, false])
    const { body: read } = await call(messagesOf('news', 'all'), { headers })
    expect(read.messages.at(-1)).toMatchObject({ from: 'ada', payload: { n: 1 } })
    const { status: other, body: refused } = await call(messagesOf('news', 'all'), {
      body: payload({}),
      headers: { ...headers, ...as('bob') },
    })
    expect([other, refused.error.code]).toEqual([403, 'forbidden'])
  })
  test('may be of a client that is connected: the token proves its id', async () => {
    const headers = bearer(await token('bea'))
    const bea = await bus.connect({ headers, query: { join: 'news:all' } })
    expect((await call(messagesOf('news', 'all'), { body: payload({ n: 2 }), headers })).status).toBe(201)
    expect((await bea.next((frame) => frame.type === 'event')).from).toBe('bea')
  })
  test('is decided by the grants of its token', async () => {
    const headers = bearer(await token('cy', { arqonbus: { permissions: { 'news:*': ['history'] } } }))
    expect((await call(messagesOf('news', 'all'), { headers })).status).toBe(200)
    expect((await call(messagesOf('news', 'all'), { body: payload({}), headers })).status).toBe(403)
  })
  test('is refused with 401 for every forged token', async () => {
    for (const { name, token: forged, reason } of await forgedTokens(issuer, clock.now())) {
      if (forged.includes(' ')) continue
      const { status, body } = await call('/rooms', { headers: bearer(forged) })
      const code = reason === 'expired' ? 'token_expired' : 'unauthenticated'
      expect([name, status, body.error.code]).toEqual([name, 401, code])
    }
  })
  test('shares no list with other callers', async () => {
    const few = bearer(await token('dee', { arqonbus: { permissions: { 'news:*': ['join'] } } }))
    const all = bearer(await token('eli'))
    await call(messagesOf('hidden', 'a'), { body: payload({}), headers: all })
    const roomsOf = async (headers: Record<string, string>) =>
      (await call('/rooms', { headers })).body.rooms.map(({ name }: { name: string }) => name)
    expect(await roomsOf(all)).toContain('hidden')
    expect(await roomsOf(few)).not.toContain('hidden')
  })
})

test('health, readiness, version, the description and static files need no token', async () => {
  for (const path of ['/health', '/ready', '/version', '/openapi.json'])
    expect([path, (await fetch(bus.httpUrl + path)).status]).toEqual([path, 200])
  const preflight = await fetch(`${bus.httpUrl}/api/v1/rooms`, { method: 'OPTIONS' })
  expect(preflight.status).toBe(204)
})

describe('a stream', () => {
  test('opens with a token, beside the connection of its subject, under an id of its own', async () => {
    const headers = bearer(await token('fay'))
    const fay = await bus.connect({ headers })
    const stream = await openStreamAt(bus.httpUrl, streamOf('news:all'), headers)
    const { client } = JSON.parse((await stream.nextOf('welcome')).data).payload
    expect(client.client_id).toMatch(/^fay--[0-9a-z]{12}$/)
    await fay.publish({ room: 'news', channel: 'all', payload: { to: 'stream' } })
    expect(JSON.parse((await stream.nextOf('message')).data).payload).toEqual({ to: 'stream' })
    stream.close()
  })
  test('counts as a connection of its subject', async () => {
    const one = bearer(
      await token('gus', { arqonbus: { limits: { connections: 1 }, permissions: { '*:*': ['join'] } } }),
    )
    const stream = await openStreamAt(bus.httpUrl, streamOf('news:all'), one)
    await stream.nextOf('welcome')
    const { status, body } = await call(streamOf('news:all'), { headers: one })
    expect([status, body.error.details.limit]).toEqual([429, 'connections_per_subject'])
    stream.close()
  })
})

describe('a ticket', () => {
  const ticketOf = async (headers: Record<string, string>) => {
    const { status, body } = await call('/stream-ticket', { method: 'POST', headers })
    expect([status, body.expires_in_ms]).toEqual([201, 30_000])
    return body.ticket as string
  }
  const openWith = (ticket: string, more = '') => call(`${streamOf('news:all')}?ticket=${ticket}${more}`)

  test('opens one stream of its caller, once, without any header', async () => {
    const ticket = await ticketOf(bearer(await token('hal')))
    const stream = await openStreamAt(bus.httpUrl, `${streamOf('news:all')}?ticket=${ticket}`)
    const { client } = JSON.parse((await stream.nextOf('welcome')).data).payload
    expect(client.client_id).toMatch(/^hal--/)
    expect((await openWith(ticket)).status).toBe(401)
    stream.close()
  })
  test('is bound to the grants of its caller', async () => {
    const ticket = await ticketOf(bearer(await token('ida', { arqonbus: { permissions: { 'other:*': ['join'] } } })))
    expect((await openWith(ticket)).status).toBe(403)
  })
  test('is valid for 30 seconds', async () => {
    const ticket = await ticketOf(bearer(await token('joe')))
    clock.advance(30_000)
    const { status, body } = await openWith(ticket)
    expect([status, body.error.code, body.error.details.path]).toEqual([401, 'unauthenticated', '/query/ticket'])
  })
  test('stands alone, opens nothing but streams, and is nothing that can be guessed', async () => {
    const ticket = await ticketOf(bearer(await token('kay')))
    expect((await openWith(ticket, '&client_id=kay')).status).toBe(400)
    expect((await call(`/rooms?ticket=${ticket}`)).status).toBe(401)
    expect((await openWith('guess')).status).toBe(401)
  })
  test('is one of a limited number', async () => {
    clock.advance(60_000)
    const headers = bearer(await token('lou'))
    for (let i = 0; i < 3; i++) await ticketOf(headers)
    const { status, body } = await call('/stream-ticket', { method: 'POST', headers })
    expect([status, body.error.details.limit, body.error.retry_after_ms]).toEqual([429, 'stream_tickets', 30_000])
    expect(await bus.metric('arqonbus_limits_hit_total{limit="stream_tickets"}')).toBe(1)
    clock.advance(30_000)
    await ticketOf(headers)
  })
  test('without tokens is of the client whose session is shown', async () => {
    const trusting = await startBus()
    const mia = await trusting.as('mia')
    const headers = { ...as('mia'), 'arqonbus-session': mia.welcome.session }
    const { status, body } = await caller(trusting.httpUrl)('/stream-ticket', { method: 'POST', headers })
    expect(status).toBe(201)
    await mia.close()
    const stream = await openStreamAt(trusting.httpUrl, `${streamOf('news:all')}?ticket=${body.ticket}`)
    expect(JSON.parse((await stream.nextOf('welcome')).data).payload.client.client_id).toBe('mia')
    stream.close()
  })
})

describe('the telemetry server', () => {
  test('needs a token with the grant, which may come as the first frame', async () => {
    const headers = bearer(await token('nia'))
    const subscriber = await bus.listenWith({ headers })
    expect(subscriber.id).toMatch(/^nia--/)
    const { next, closed, socket } = open(bus.telemetryUrl!)
    socket.addEventListener('open', () => socket.send('{}'))
    expect((await next()).payload).toMatchObject({ error: { code: 'unauthenticated' } })
    expect((await closed).code).toBe(4401)
    const ungranted = await token('oda', { arqonbus: { permissions: { 'news:*': ['join'] } } })
    expect(await refusedWith(bus.telemetryUrl!, { headers: bearer(ungranted) })).toMatchObject({ code: 4403 })
  })
})

/** The callout: what the backend is asked, and what its decisions do (docs/protocol.md#callout). */
import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import type { Config } from '@arqonbus/server'
import { startBus, testClock } from '@arqonbus/testing'
import { ALL_PERMISSIONS, bearer, createIssuer, serveJson } from '@arqonbus/testing/tokens'
import { caller } from '../api/call.ts'
import { refusedWith } from './refused.ts'

const issuer = await createIssuer()
const secret = 'the-secret-of-the-backend'
const adminKey = 'correct-horse-battery-staple'

type Asked = { readonly headers: Headers; readonly text: string; readonly body: Record<string, unknown> }

/** A bus that asks a backend, which answers with the next of these. */
async function withBackend(config: Partial<Config>, answer: (asked: Asked, count: number) => unknown) {
  const asked: Asked[] = []
  const authUrl = serveJson(async (request) => {
    const text = await request.text()
    const one = { headers: request.headers, text, body: JSON.parse(text) }
    asked.push(one)
    return answer(one, asked.length)
  })
  const clock = testClock(Date.now())
  const bus = await startBus(
    { auth: 'token', authUrl, authUrlSecret: secret, adminKey, authFailureRate: null, ...config },
    { clock },
  )
  return { bus, asked, clock }
}

const permit = (more = {}) => ({ allow: true, sub: 'ann', permissions: ALL_PERMISSIONS, ...more })

describe('the backend', () => {
  test('is asked with what the client says, its token and allowed headers, signed with a time', async () => {
    const { bus, asked, clock } = await withBackend({ authUrlHeaders: ['cookie'] }, () => permit())
    await bus.connect({
      headers: { ...bearer('opaque'), cookie: 'sid=1', 'x-other': 'y' },
      query: { client_id: 'ann', screen_name: 'Ann' },
    })
    const { headers, text, body } = asked[0]!
    expect(body).toEqual({
      by: 'connection',
      token: 'opaque',
      address: '127.0.0.1',
      client_id: 'ann',
      screen_name: 'Ann',
      headers: { cookie: 'sid=1' },
    })
    const [id, time] = [headers.get('webhook-id')!, headers.get('webhook-timestamp')!]
    expect(Number(time)).toBe(Math.floor(clock.now() / 1000))
    const signature = createHmac('sha256', secret).update(`${id}.${time}.${text}`).digest('base64')
    expect(headers.get('webhook-signature')).toBe(`v1,${signature}`)
  })
  test('gives a client its subject, fields and permissions, by a cookie alone', async () => {
    const given = {
      client_type: 'service',
      screen_name: 'Of the backend',
      permissions: { 'news:*': ['join', 'create'] },
    }
    const { bus } = await withBackend({ authUrlHeaders: ['cookie'] }, () => permit(given))
    const client = await bus.connect({ headers: { cookie: 'sid=1' }, query: { screen_name: 'Mine' } })
    expect(client.welcome.client).toMatchObject({
      client_id: 'ann',
      client_type: 'service',
      screen_name: 'Of the backend',
    })
    await client.command('join_channel', { channel: 'news:all' })
    await expect(client.command('join_channel', { channel: 'ops:all' })).rejects.toMatchObject({
      error: { code: 'forbidden' },
    })
  })
  test('refuses a client with 4401', async () => {
    const { bus } = await withBackend({}, () => ({ allow: false, reason: 'banned' }))
    expect(await refusedWith(bus.busUrl, { headers: bearer('x') })).toMatchObject({
      code: 4401,
      error: { code: 'unauthenticated', details: { reason: 'denied' } },
    })
  })
  test('is asked after the token was verified, and cannot change its subject', async () => {
    const { bus, asked } = await withBackend(issuer.config, ({ body }) =>
      body.client_id === 'ann' ? { allow: true, sub: 'eve' } : { allow: true, screen_name: 'By both' },
    )
    expect(await refusedWith(bus.busUrl, { headers: bearer('forged') })).toMatchObject({ code: 4401 })
    expect(asked).toEqual([])
    const { welcome } = await bus.connect({ headers: bearer(await issuer.token('ann')) })
    expect(welcome.client).toMatchObject({ client_id: 'ann', screen_name: 'By both' })
    const headers = bearer(await issuer.token('ann'))
    expect(await refusedWith(bus.busUrl, { headers, query: { client_id: 'ann' } })).toMatchObject({ code: 4401 })
  })
  test('decides about calls too', async () => {
    const { bus } = await withBackend({}, ({ body }) => (body.by === 'http' ? permit() : { allow: false }))
    expect((await caller(bus.httpUrl)('/rooms', { headers: bearer('x') })).status).toBe(200)
    expect(await refusedWith(bus.busUrl, { headers: bearer('x') })).toMatchObject({ code: 4401 })
  })
})

describe('a decision', () => {
  const connect = async (bus: Awaited<ReturnType<typeof withBackend>>['bus'], name: string) =>
    (await bus.connect({ headers: bearer('x'), query: { client_id: `ann--${name}` } })).close()

  test('serves for the same request for a while, and for no other', async () => {
    const { bus, asked, clock } = await withBackend({ authUrlCacheMs: 10_000 }, () => permit())
    await connect(bus, 'a')
    await connect(bus, 'a')
    expect(asked.length).toBe(1)
    await connect(bus, 'b')
    expect(asked.length).toBe(2)
    clock.advance(10_000)
    await connect(bus, 'a')
    expect(asked.length).toBe(3)
  })
  test('serves until `expires_at`, which ends the connection too', async () => {
    const { bus, asked, clock } = await withBackend({}, () => permit({ expires_at: (clock.now() + 4000) / 1000 }))
    const client = await bus.connect({ headers: bearer('x') })
    await connect(bus, 'a')
    clock.advance(4000)
    expect((await client.closed).code).toBe(4401)
    await connect(bus, 'a')
    expect(asked.length).toBe(3)
  })
  test('ends with a revocation', async () => {
    const { bus, asked } = await withBackend({}, (_, count) => (count === 1 ? permit() : { allow: false }))
    const admin = await bus.connect({ query: { client_id: 'root' }, headers: bearer(adminKey) })
    const client = await bus.connect({ headers: bearer('x') })
    await admin.command('revoke', { sub: 'ann' })
    expect((await client.closed).code).toBe(4401)
    expect(await refusedWith(bus.busUrl, { headers: bearer('x') })).toMatchObject({ code: 4401 })
    expect(asked.length).toBe(2)
  })
})

describe('without a decision a client is refused temporarily', () => {
  const away = { code: 1013, error: { code: 'auth_unavailable', status: 503, retry_after_ms: 1000 } }
  const answers: [what: string, answer: (asked: Asked, count: number) => unknown][] = [
    ['fails', () => new Response('', { status: 500 })],
    ['knows no such path', () => new Response('', { status: 404 })],
    ['sends something else', () => new Response('<html>')],
    ['says neither yes nor no', () => ({ sub: 'ann' })],
    ['redirects', () => Response.redirect('http://127.0.0.1:1/')],
    ['sends far too much', () => permit({ screen_name: 'x'.repeat(100_000) })],
    ['does not reply', () => new Promise(() => {})],
  ]
  test.each(answers)('if the backend %s, twice', async (_, answer) => {
    const { bus, asked } = await withBackend({ authUrlTimeoutMs: 100 }, answer)
    expect(await refusedWith(bus.busUrl, { headers: bearer('x') })).toMatchObject(away)
    expect(asked.length).toBe(2)
    expect((await caller(bus.httpUrl)('/rooms', { headers: bearer('x') })).status).toBe(503)
  })
  test('but not if its second reply is one', async () => {
    const { bus } = await withBackend({}, (_, count) => (count === 1 ? new Response('', { status: 502 }) : permit()))
    expect((await bus.connect({ headers: bearer('x') })).id).toBe('ann')
  })
  test('if too many others wait for theirs', async () => {
    const waiting = Promise.withResolvers<unknown>()
    const { bus } = await withBackend({ authUrlRequests: 1, authUrlTimeoutMs: 10_000 }, () => waiting.promise)
    const call = (i: number) => caller(bus.httpUrl)('/rooms', { headers: bearer(`token-${i}`) })
    const calls = Array.from({ length: 12 }, (_, i) => call(i))
    const first = await Promise.race(calls)
    expect([first.status, first.body.error.code]).toEqual([503, 'auth_unavailable'])
    expect(await bus.metric('arqonbus_limits_hit_total{limit="callouts"}')).toBe(1)
    waiting.resolve(permit())
    expect((await Promise.all(calls)).map(({ status }) => status).filter((status) => status === 200).length).toBe(11)
  })
})

test('a reply with wrong claims permits nothing', async () => {
  for (const wrong of [{ sub: undefined }, { permissions: 'all' }, { role: 7 }, { unknown: true }]) {
    const { bus } = await withBackend({}, () => permit(wrong))
    expect(await refusedWith(bus.busUrl, { headers: bearer('x') })).toMatchObject({ code: 4401 })
  }
})

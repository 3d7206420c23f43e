/** Revocation: what ends with it, and which tokens are refused from then on (docs/protocol.md#revocation). */
import { describe, expect, test } from 'bun:test'
import { startBus, type TestBus, testClock } from '@arqonbus/testing'
import { bearer, createIssuer } from '@arqonbus/testing/tokens'
import { caller, openStreamAt, streamOf } from '../api/call.ts'
import { refusedWith } from './refused.ts'

const issuer = await createIssuer()
const clock = testClock(Date.parse('2026-01-02T03:04:05.000Z'))
const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ ...issuer.config, adminKey, authFailureRate: null, maxRevocations: 20 }, { clock })
const token = (sub: string, claims = {}) => issuer.token(sub, { now: clock.now(), claims })
const admin = await bus.connect({ query: { client_id: 'root' }, headers: bearer(adminKey) })
const isRefused = async (headers: Record<string, string>, query = {}, of: TestBus = bus) =>
  expect(await refusedWith(of.busUrl, { headers, query })).toMatchObject({
    code: 4401,
    error: { code: 'unauthenticated', details: { reason: 'revoked' } },
  })

describe('revoke', () => {
  test('by subject ends every connection, stream and telemetry subscriber of it, and nothing else', async () => {
    const headers = bearer(await token('ann'))
    const [one, two, other] = await Promise.all([
      bus.connect({ headers }),
      bus.connect({ headers, query: { client_id: 'ann--two' } }),
      bus.connect({ headers: bearer(await token('ben')) }),
    ])
    const subscriber = await bus.listenWith({ headers })
    const stream = await openStreamAt(bus.httpUrl, streamOf('news:all'), headers)
    const { body } = await caller(bus.httpUrl)('/stream-ticket', { method: 'POST', headers })
    expect(await admin.command('revoke', { sub: 'ann' })).toEqual({ sub: 'ann', revoked: true, durable: false })
    for (const { closed } of [one, two, subscriber])
      expect(await closed).toEqual({ code: 4401, reason: 'the token is revoked' })
    expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(4401)
    expect((await caller(bus.httpUrl)(`${streamOf('news:all')}?ticket=${body.ticket}`)).status).toBe(401)
    await other.command('ping')
    await isRefused(headers)
    expect((await caller(bus.httpUrl)('/rooms', { headers })).status).toBe(401)
    await isRefused({ ...headers, 'arqonbus-session': one.welcome.session })
  })
  test('refuses what was issued until then, and nothing that is issued later; the session has ended', async () => {
    const before = await bus.connect({ headers: bearer(await token('cas')) })
    await admin.command('revoke', { sub: 'cas' })
    await before.closed
    await isRefused(bearer(await token('cas')))
    clock.advance(1000)
    const headers = { ...bearer(await token('cas')), 'arqonbus-session': before.welcome.session }
    expect((await bus.connect({ headers })).welcome.resumed).toBe(false)
  })
  test('ends the session of a client that is gone', async () => {
    const before = await bus.connect({ headers: bearer(await token('dan')) })
    await before.close()
    await admin.command('revoke', { sub: 'dan' })
    clock.advance(1000)
    const headers = { ...bearer(await token('dan')), 'arqonbus-session': before.welcome.session }
    expect((await bus.connect({ headers })).welcome.resumed).toBe(false)
  })
  test('of a principal ends its agents, and of an agent that agent only', async () => {
    const ofAgent = (agent: string) => token('eva', { act: { sub: agent } })
    const eva = await bus.connect({ headers: bearer(await token('eva')) })
    const [first, second] = [await ofAgent('bot-1'), await ofAgent('bot-2')]
    const bots = await Promise.all([first, second].map((one) => bus.connect({ headers: bearer(one) })))
    await admin.command('revoke', { sub: 'bot-1' })
    expect((await bots[0]!.closed).code).toBe(4401)
    await Promise.all([eva.command('ping'), bots[1]!.command('ping')])
    await admin.command('revoke', { sub: 'eva' })
    expect((await bots[1]!.closed).code).toBe(4401)
    expect((await eva.closed).code).toBe(4401)
    await isRefused(bearer(second))
  })
  test('by token id ends that token only', async () => {
    const [lost, kept] = [await token('fay', { jti: 'lost' }), await token('fay', { jti: 'kept' })]
    const one = await bus.connect({ headers: bearer(lost) })
    const two = await bus.connect({ headers: bearer(kept), query: { client_id: 'fay--two' } })
    await admin.command('revoke', { jti: 'lost' })
    expect((await one.closed).code).toBe(4401)
    await two.command('ping')
    await isRefused(bearer(lost))
  })
  test('by client id ends that client only', async () => {
    const headers = bearer(await token('gil'))
    const one = await bus.connect({ headers })
    const two = await bus.connect({ headers, query: { client_id: 'gil--two' } })
    await admin.command('revoke', { client_id: 'gil--two' })
    expect((await two.closed).code).toBe(4401)
    await one.command('ping')
    await isRefused(headers, { client_id: 'gil--two' })
  })
  test('works over HTTP', async () => {
    const hal = await bus.connect({ headers: bearer(await token('hal')) })
    const { status, body } = await caller(bus.httpUrl)('/commands/revoke', {
      body: '{"sub":"hal"}',
      headers: bearer(adminKey),
    })
    expect([status, body]).toEqual([200, { sub: 'hal', revoked: true, durable: false }])
    expect((await hal.closed).code).toBe(4401)
  })
  test('is for admins, and takes one of its three parameters', async () => {
    const ida = await bus.connect({ headers: bearer(await token('ida')) })
    await expect(ida.command('revoke', { sub: 'ann' })).rejects.toMatchObject({ error: { code: 'forbidden' } })
    for (const parameters of [{}, { sub: 'a', jti: 'b' }])
      await expect(admin.command('revoke', parameters)).rejects.toMatchObject({ error: { code: 'invalid_parameters' } })
  })
  test('is limited in number; those whose tokens have all expired make room', async () => {
    let revoked = 0
    const more = () => admin.command('revoke', { sub: `somebody-${revoked}` })
    for (; revoked < 20; revoked++)
      if (
        !(await more().then(
          () => true,
          () => false,
        ))
      )
        break
    await expect(more()).rejects.toMatchObject({
      error: { code: 'rate_limited', details: { limit: 'revocations', most: 20 }, retry_after_ms: expect.any(Number) },
    })
    expect(await bus.metric('arqonbus_limits_hit_total{limit="revocations"}')).toBe(2)
    await admin.command('revoke', { sub: 'ann' })
    clock.advance(86_400_000 + 11_000)
    await bus
      .connect({ query: { client_id: 'root-2' }, headers: bearer(adminKey) })
      .then((one) => one.command('revoke', { sub: 'x' }))
  })
})

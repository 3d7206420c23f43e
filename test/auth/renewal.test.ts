/** Tokens that expire: the notice, renewal by `authenticate`, and the end (docs/protocol.md#renewal). */
import { describe, expect, test } from 'bun:test'
import { type Frame, startBus, type TestClient, testClock } from '@arqonbus/testing'
import { bearer, createIssuer, type TokenParts } from '@arqonbus/testing/tokens'
import { openStreamAt, streamOf } from '../api/call.ts'

const issuer = await createIssuer()
const clock = testClock()
const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ ...issuer.config, adminKey, rateLimit: null, pingTimeoutMs: 86_400_000 }, { clock })
const token = (sub: string, parts: TokenParts = {}) => issuer.token(sub, { now: clock.now(), life: 600, ...parts })
const connect = async (sub: string, parts: TokenParts = {}, query: Record<string, string> = {}) =>
  bus.connect({ headers: bearer(await token(sub, parts)), query })
const notice = (event: string) => (frame: Frame) => frame.type === 'system' && frame.payload.event === event
const renew = (client: TestClient, renewed: string) => client.command('authenticate', { token: renewed })

describe('a token that expires', () => {
  test('is announced a minute before, and then closes its connection with 4401', async () => {
    const client = await connect('ann')
    clock.advance(540_000)
    expect((await client.next(notice('token_expiring'))).payload).toEqual({
      event: 'token_expiring',
      expires_in_ms: 60_000 - (clock.now() % 1000),
    })
    clock.advance(60_000)
    expect(await client.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })
  test('is announced at half of its time where that is short', async () => {
    const client = await connect('ben', { life: 20 })
    clock.advance(10_000)
    const { payload } = await client.next(notice('token_expiring'))
    expect(payload.expires_in_ms).toBeWithin(8000, 10_001)
  })
  test('ends a stream and a telemetry subscriber likewise', async () => {
    const stream = await openStreamAt(bus.httpUrl, streamOf('news:all'), bearer(await token('cas')))
    await stream.nextOf('joined')
    const subscriber = await bus.listenWith({ headers: bearer(await token('cas')) })
    clock.advance(540_000)
    await subscriber.next(notice('token_expiring'))
    expect(JSON.parse((await stream.nextOf('token_expiring')).data).payload.event).toBe('token_expiring')
    clock.advance(60_000)
    expect((await subscriber.closed).code).toBe(4401)
    expect(JSON.parse((await stream.nextOf('closed')).data)).toMatchObject({ code: 4401 })
  })
  test('is accepted for no new connection', async () => {
    const old = await token('dan', { now: clock.now() - 3_600_000 })
    await expect(bus.connect({ headers: bearer(old) })).rejects.toThrow('4401')
  })
})

describe('authenticate', () => {
  test('renews: the connection goes on, with its subscriptions, until the new token expires', async () => {
    const client = await connect('eve')
    await client.command('join_channel', { channel: 'news:all' })
    clock.advance(540_000)
    await client.next(notice('token_expiring'))
    const until = Math.floor(clock.now() / 1000) * 1000 + 600_000
    expect(await renew(client, await token('eve'))).toEqual({
      client_id: 'eve',
      role: 'user',
      expires_at: new Date(until).toISOString(),
    })
    clock.advance(530_000)
    await client.command('ping')
    const other = await connect('eva')
    await other.publish({ room: 'news', channel: 'all', payload: { still: 'here' } })
    expect((await client.next((frame) => frame.type === 'event')).payload).toEqual({ still: 'here' })
    clock.advance(70_000)
    expect((await client.closed).code).toBe(4401)
  })
  test('ends the subscriptions that the new token does not permit, each with a notice', async () => {
    const permissions = { 'news:*': ['join'], 'ops:*': ['join'] }
    const wide = { claims: { arqonbus: { permissions } } }
    const maker = await connect('fay')
    for (const channel of ['news:all', 'news:inside', 'ops:alerts']) await maker.command('join_channel', { channel })
    const client = await connect('gil', wide)
    for (const channel of ['news:all', 'news:inside', 'ops:*']) await client.command('join_channel', { channel })
    const narrow = { claims: { arqonbus: { permissions: { 'news:all': ['join'] } } } }
    await renew(client, await token('gil', narrow))
    const ended = [await client.next(notice('subscription_ended')), await client.next(notice('subscription_ended'))]
    expect(ended.map(({ room, channel }) => `${room}:${channel}`).toSorted()).toEqual(['news:inside', 'ops:*'])
    expect(ended.every(({ payload }) => payload.reason === 'forbidden')).toBe(true)
    for (const [room, channel] of [
      ['news', 'inside'],
      ['ops', 'alerts'],
      ['news', 'all'],
    ] as const)
      await maker.publish({ room, channel, payload: { at: channel } })
    expect((await client.messages()).map(({ payload }) => payload.at)).toEqual(['all'])
    await expect(client.command('join_channel', { channel: 'ops:alerts' })).rejects.toMatchObject({
      error: { code: 'forbidden' },
    })
  })
  test('permits at once what the new token permits, and raises and lowers the role', async () => {
    const client = await connect('hal', { claims: { arqonbus: {} } })
    const join = () => client.command('join_channel', { channel: 'news:all' })
    await expect(join()).rejects.toMatchObject({ error: { code: 'forbidden' } })
    await renew(client, await token('hal', { claims: { arqonbus: { role: 'admin' } } }))
    await join()
    await client.command('create_channel', { channel: 'held:a' })
    await client.command('pause_room', { room: 'held' })
    await renew(client, await token('hal'))
    await expect(client.command('resume_room', { room: 'held' })).rejects.toMatchObject({
      error: { code: 'forbidden' },
    })
  })
  test('refuses the token of another subject, actor, client id or type; the old one stays', async () => {
    const client = await connect('ida')
    const others: [sub: string, parts: TokenParts][] = [
      ['joe', {}],
      ['joe', { claims: { act: { sub: 'ida' } } }],
      ['ida', { claims: { arqonbus: { client_id: 'desk' } } }],
      ['ida', { claims: { arqonbus: { client_type: 'service' } } }],
    ]
    for (const [sub, parts] of others)
      await expect(renew(client, await token(sub, parts))).rejects.toMatchObject({ error: { code: 'forbidden' } })
    await client.command('join_channel', { channel: 'news:all' })
  })
  test('refuses a token that is forged, expired or the admin key: the connection stays as it is', async () => {
    const client = await connect('kit')
    const forged = `${(await token('kit')).slice(0, -8)}AAAAAAAA`
    await expect(renew(client, forged)).rejects.toMatchObject({ error: { code: 'unauthenticated' } })
    const expired = await token('kit', { now: clock.now() - 3_600_000 })
    await expect(renew(client, expired)).rejects.toMatchObject({ error: { code: 'token_expired' } })
    await expect(renew(client, adminKey)).rejects.toMatchObject({ error: { code: 'forbidden' } })
    await client.command('join_channel', { channel: 'news:all' })
  })
  test('without tokens raises a connection that shows the admin key, and refuses anything else', async () => {
    const trusting = await startBus({ adminKey })
    const client = await trusting.as('lou')
    await expect(renew(client, 'guess')).rejects.toMatchObject({ error: { code: 'unauthenticated' } })
    expect(await renew(client, adminKey)).toEqual({ client_id: 'lou', role: 'admin' })
    await client.command('create_channel', { channel: 'held:a' })
    await client.command('pause_room', { room: 'held' })
  })
})

/** Connections with tokens: how tokens travel, and which clients they make (docs/protocol.md#authentication). */
import { describe, expect, test } from 'bun:test'
import { type ConnectOptions, open, openRaw, startBus, type TestBus, testClock } from '@arqonbus/testing'
import { bearer, createIssuer, forgedTokens } from '@arqonbus/testing/tokens'
import { authenticateFrame, refusedWith } from './refused.ts'

const issuer = await createIssuer()
const adminKey = 'correct-horse-battery-staple'
const lines: Record<string, unknown>[] = []
const take = (line: Record<string, unknown>) => void lines.push(line)
const bus = await startBus(
  { ...issuer.config, adminKey, authFailureRate: null },
  { logger: { debug: take, info: take, warn: take, error: take } },
)
const refused = (options: ConnectOptions, of: TestBus = bus) => refusedWith(of.busUrl, options)

/** Opens a connection without a token, whose first frame is this. */
async function opened(of: TestBus, query: ConnectOptions['query'] = {}) {
  const connection = open(of.busUrl, { query })
  await new Promise((resolve) => connection.socket.addEventListener('open', resolve))
  return connection
}

describe('a token travels', () => {
  test('in the header, and its subject is the client id', async () => {
    const { id, welcome } = await bus.connect({ headers: bearer(await issuer.token('ada')) })
    expect(id).toBe('ada')
    expect(welcome.client).toMatchObject({ client_id: 'ada', client_type: 'human' })
  })
  test('as a subprotocol', async () => {
    const token = await issuer.token('bea')
    const { id, socket } = await bus.connect({ protocols: ['arqonbus.v1', `arqonbus.token.${token}`] })
    expect(id).toBe('bea')
    expect(socket.protocol).toBe('arqonbus.v1')
  })
  test('as the first frame, whoever that says it is from; frames behind it are not lost', async () => {
    const { socket, next, closed, frames } = await opened(bus)
    socket.send(authenticateFrame(await issuer.token('cleo'), { from: 'eve' }))
    for (const text of ['one', 'two'])
      socket.send(
        JSON.stringify({
          version: '1.0',
          id: `arq_${text}`,
          type: 'event',
          room: 'science',
          channel: 'general',
          from: 'cleo',
          timestamp: new Date().toISOString(),
          payload: { text },
          metadata: { ack: true },
        }),
      )
    const welcome = await next()
    expect(welcome.payload).toMatchObject({ event: 'welcome', client: { client_id: 'cleo' } })
    expect((await next()).payload).toMatchObject({ request_id: 'arq_one', status: 'success' })
    expect((await next()).payload).toMatchObject({ request_id: 'arq_two', status: 'success' })
    expect(frames).toEqual([])
    socket.close()
    await closed
  })
  test('with the admin key in place of it', async () => {
    const admin = await bus.connect({ query: { client_id: 'root' }, headers: bearer(adminKey) })
    expect(admin.id).toBe('root')
    await admin.command('create_channel', { channel: 'held:a' })
    await admin.command('pause_room', { room: 'held' })
  })
})

describe('before its first frame a connection', () => {
  test('is sent nothing, is no client, and takes no client id', async () => {
    const { socket, frames, closed } = await opened(bus, { client_id: 'dora', join: 'science:general' })
    const dora = await bus.connect({ headers: bearer(await issuer.token('dora')) })
    const { clients } = await dora.command('list_clients', { limit: 1000 })
    expect(clients.filter(({ client_id: id }) => id === 'dora').length).toBe(1)
    expect(frames).toEqual([])
    socket.close()
    await closed
  })
  const wrong: [what: string, frame: string | Uint8Array<ArrayBuffer>][] = [
    ['is another command', authenticateFrame('x').replace('"authenticate"', '"ping"')],
    [
      'is a message',
      '{"version":"1.0","id":"arq_1","type":"event","room":"a","channel":"b","from":"c","timestamp":"2026-11-21T12:00:00Z","payload":{}}',
    ],
    ['is no JSON', 'hello'],
    ['is binary', new Uint8Array([1, 2, 3])],
    ['is longer than 8 KiB', authenticateFrame('x'.repeat(9000))],
    ['has no token', authenticateFrame('x').replace('"token"', '"tokens"')],
  ]
  test.each(wrong)('is closed with 4401 if that %s', async (_, frame) => {
    const { socket, next, closed } = await opened(bus)
    socket.send(frame)
    expect((await next()).payload).toMatchObject({ request_id: null, error: { code: 'unauthenticated' } })
    expect((await closed).code).toBe(4401)
  })
  test('is closed with 4401 if none comes in time', async () => {
    const hasty = await startBus({ ...issuer.config, authTimeoutMs: 100 })
    const { next, closed } = await opened(hasty)
    expect((await next()).payload).toMatchObject({ error: { code: 'unauthenticated' } })
    expect((await closed).code).toBe(4401)
  })
  test('counts as pending: above their number, of all and of one address, more are closed with 1013', async () => {
    for (const [limit, config] of [
      ['pending_connections', { maxPendingConnections: 2 }],
      ['pending_connections_per_address', { maxPendingConnectionsPerAddress: 2 }],
    ] as const) {
      const small = await startBus({ ...issuer.config, ...config })
      const [first] = await Promise.all([opened(small), opened(small)])
      expect(await refused({}, small)).toMatchObject({
        code: 1013,
        error: { code: 'rate_limited', details: { limit, most: 2 } },
      })
      expect(await small.metric(`arqonbus_limits_hit_total{limit="${limit}"}`)).toBe(1)
      first.socket.send(authenticateFrame(await issuer.token('ada')))
      await first.next()
      const { socket, closed } = await opened(small)
      socket.close()
      await closed
    }
  })
  test('leaves its place when it ends', async () => {
    const small = await startBus({ ...issuer.config, maxPendingConnections: 1 })
    for (let i = 0; i < 3; i++) {
      const raw = await openRaw(small.busUrl)
      raw.destroy()
      await raw.ended
    }
    expect(await small.metric('arqonbus_limits_hit_total{limit="pending_connections"}')).toBeLessThanOrEqual(2)
  })
})

describe('the client id', () => {
  const as = async (sub: string, clientId: string | undefined, claims = {}) => {
    const client = await bus.connect({
      headers: bearer(await issuer.token(sub, { claims })),
      query: clientId === undefined ? {} : { client_id: clientId },
    })
    const { id } = client
    await client.close()
    return id
  }
  test('is the subject, or the subject with a name behind it', async () => {
    expect(await as('fay', undefined)).toBe('fay')
    expect(await as('fay', 'fay')).toBe('fay')
    expect(await as('fay', 'fay--tab2')).toBe('fay--tab2')
  })
  test('is none of another subject', async () => {
    for (const other of ['gus', 'fay-', 'fay--', 'fay--tab-2', 'fay--tab2--3', 'fayx', 'fa', 'arq', 'fay.gus'])
      expect(await refused({ headers: bearer(await issuer.token('fay')), query: { client_id: other } })).toMatchObject({
        code: 4403,
        error: { code: 'forbidden', details: { parameter: 'client_id' } },
      })
  })
  test('is that of the claim, and no other', async () => {
    const claims = { arqonbus: { client_id: 'desk-1', permissions: {} } }
    expect(await as('hal', undefined, claims)).toBe('desk-1')
    expect(await as('hal', 'desk-1', claims)).toBe('desk-1')
    expect(
      await refused({ headers: bearer(await issuer.token('hal', { claims })), query: { client_id: 'hal' } }),
    ).toMatchObject({ code: 4403 })
  })
  test('is assigned, and always the same, where the subject is no id or could be taken for another’s', async () => {
    for (const sub of ['auth0|123', 'a b', 'fay--tab2', 'arqonbus', 'sub-x', 'x'.repeat(200)]) {
      const id = await as(sub, undefined)
      expect(id).toMatch(/^sub-[0-9a-f]{32}$/)
      expect(await as(sub, `${id}--two`)).toBe(`${id}--two`)
    }
    expect(await as('ida', undefined)).toBe('ida')
  })
  test('belongs to the token: it is had without the session of an earlier connection', async () => {
    const headers = bearer(await issuer.token('joy'))
    await (await bus.connect({ headers })).close()
    expect((await bus.connect({ headers })).id).toBe('joy')
    expect(await refused({ headers })).toMatchObject({ code: 4409, error: { code: 'client_id_in_use' } })
  })
})

describe('the profile', () => {
  test('has the client type of the token alone', async () => {
    const query = { client_type: 'service' }
    const plain = await bus.connect({ headers: bearer(await issuer.token('kim')), query })
    expect(plain.welcome.client.client_type).toBe('human')
    const claims = { arqonbus: { client_type: 'ai-agent', screen_name: 'Bot', permissions: {} } }
    const agent = await bus.connect({
      headers: bearer(await issuer.token('bot', { claims })),
      query: { screen_name: 'Ada' },
    })
    expect(agent.welcome.client).toMatchObject({ client_type: 'ai-agent', screen_name: 'Bot' })
  })
  test('keeps what the token says, and takes the rest from the client', async () => {
    const claims = { arqonbus: { screen_name: 'Lea', permissions: {} } }
    const lea = await bus.connect({
      headers: bearer(await issuer.token('lea', { claims })),
      query: { avatar: 'a.png' },
    })
    expect(lea.welcome.client).toMatchObject({ screen_name: 'Lea', avatar: 'a.png' })
    const attempt = lea.command('update_profile', { screen_name: 'Admin' })
    await expect(attempt).rejects.toMatchObject({
      error: { code: 'forbidden', details: { path: '/parameters/screen_name' } },
    })
    expect((await lea.command('update_profile', { avatar: null })).client.screen_name).toBe('Lea')
  })
  test('of an agent names for whom it acts, in every view of it', async () => {
    const token = await issuer.token('mia', { claims: { act: { sub: 'mias-agent' } } })
    const agent = await bus.connect({ headers: bearer(token) })
    expect(agent.id).toBe('mias-agent')
    expect(agent.welcome.client).toMatchObject({ on_behalf_of: 'mia' })
    const { clients } = await agent.command('list_clients', { limit: 1000 })
    expect(clients.find(({ client_id: id }) => id === 'mias-agent')).toMatchObject({ on_behalf_of: 'mia' })
  })
})

describe('a token decides', () => {
  test('what its client may do: nothing by default', async () => {
    const nobody = await bus.connect({ headers: bearer(await issuer.token('nia', { claims: { arqonbus: {} } })) })
    await expect(nobody.command('join_channel', { channel: 'science:general' })).rejects.toMatchObject({
      error: { code: 'forbidden' },
    })
    const claims = { arqonbus: { permissions: { 'science:*': ['join'] }, deny: { 'science:secret': ['join'] } } }
    const reader = await bus.connect({ headers: bearer(await issuer.token('oda', { claims })) })
    await bus.connect({
      headers: bearer(await issuer.token('pat')),
      query: { join: ['science:general', 'science:secret'] },
    })
    await reader.command('join_channel', { channel: 'science:general' })
    for (const channel of ['science:secret', 'ops:a'])
      await expect(reader.command('join_channel', { channel })).rejects.toMatchObject({ error: { code: 'forbidden' } })
  })
  test('whether its client is an admin', async () => {
    const claims = { arqonbus: { role: 'admin' } }
    const admin = await bus.connect({ headers: bearer(await issuer.token('quin', { claims })) })
    await admin.command('create_channel', { channel: 'ruled:a' })
    await admin.command('pause_room', { room: 'ruled' })
  })
})

describe('connections of one subject', async () => {
  const few = await startBus({ ...issuer.config, maxConnectionsPerSubject: 2 })
  const connectAs = (token: string, name: string) =>
    few.connect({ headers: bearer(token), query: { client_id: `ray--${name}` } })
  test('are limited in number, whatever their client ids; one that takes over an earlier one counts once', async () => {
    const token = await issuer.token('ray')
    const one = await connectAs(token, 'a')
    const two = await connectAs(token, 'b')
    expect(await refusedWith(few.busUrl, { headers: bearer(token) })).toMatchObject({
      code: 1013,
      error: { code: 'rate_limited', details: { limit: 'connections_per_subject', most: 2 } },
    })
    expect(await few.metric('arqonbus_limits_hit_total{limit="connections_per_subject"}')).toBe(1)
    const session = { ...bearer(token), 'arqonbus-session': one.welcome.session }
    const again = await few.connect({ headers: session, query: { client_id: 'ray--a' } })
    expect(again.welcome.resumed).toBe(true)
    await two.close()
    await again.close()
  })
  test('are limited by the claim too, where that is lower', async () => {
    const claims = { arqonbus: { limits: { connections: 1 }, permissions: {} } }
    const token = await issuer.token('sue', { claims })
    await few.connect({ headers: bearer(token) })
    expect(await refusedWith(few.busUrl, { headers: bearer(token), query: { client_id: 'sue--b' } })).toMatchObject({
      code: 1013,
      error: { details: { most: 1 } },
    })
  })
})

describe('a forged token is refused with 4401, logged with its reason, and never shown', async () => {
  const forged = await forgedTokens(issuer)
  test('in the header, and as the first frame', async () => {
    for (const { name, token, reason } of forged) {
      const code = reason === 'expired' ? 'token_expired' : 'unauthenticated'
      const expected = { code: 4401, error: { code } }
      if (!token.includes(' '))
        expect([name, await refused({ headers: bearer(token) })]).toMatchObject([name, expected])
      const { socket, next, closed } = await opened(bus)
      socket.send(authenticateFrame(token))
      expect([name, (await next()).payload]).toMatchObject([name, { error: { code } }])
      expect((await closed).code).toBe(4401)
      expect(JSON.stringify(lines)).not.toContain(token.trim())
    }
  })
  test('and each reason has a line in the log', async () => {
    const some = new Map(forged.filter(({ token }) => !token.includes(' ')).map((one) => [one.reason, one.token]))
    const found: Record<string, unknown>[] = []
    const note = (line: Record<string, unknown>) => void found.push(line)
    const logged = await startBus(
      { ...issuer.config, authFailureRate: null },
      { logger: { debug: note, info: note, warn: note, error: note } },
    )
    for (const [reason, token] of some) {
      await refused({ headers: bearer(token) }, logged)
      const expected = { event: 'authentication_failed', by: 'connection', reason, address: '127.0.0.1' }
      expect(found).toContainEqual(expect.objectContaining(expected))
      expect(JSON.stringify(found)).not.toContain(token)
    }
  })
  test('as a subprotocol', async () => {
    for (const { name, token } of forged.filter((one) => /^[\w.-]+$/.test(one.token)))
      expect([name, await refused({ protocols: [`arqonbus.token.${token}`] })]).toMatchObject([name, { code: 4401 }])
  })
  test('and counted by its reason', async () => {
    expect(await bus.metric('arqonbus_authentication_failures_total{reason="signature"}')).toBeGreaterThan(5)
  })
})

test('too many failures of an address refuse its connections and calls with 429, until their rate allows more', async () => {
  const clock = testClock()
  const strict = await startBus({ ...issuer.config, authFailureRate: { perSecond: 1, burst: 3 } }, { clock })
  const forgedToken = `${(await issuer.token('eve', { now: clock.now() })).slice(0, -8)}AAAAAAAA`
  const expired = await issuer.token('eve', { now: clock.now() - 7_200_000 })
  for (let i = 0; i < 5; i++) expect(await refused({ headers: bearer(expired) }, strict)).toMatchObject({ code: 4401 })
  for (let i = 0; i < 3; i++)
    expect(await refused({ headers: bearer(forgedToken) }, strict)).toMatchObject({ code: 4401 })
  const good = bearer(await issuer.token('ada', { now: clock.now() }))
  const { status, headers } = await (await openRaw(strict.busUrl, { headers: good })).head()
  expect([status, headers.get('retry-after')]).toEqual([429, '1'])
  expect((await fetch(`${strict.httpUrl}/api/v1/rooms`, { headers: good })).status).toBe(429)
  expect(await strict.metric('arqonbus_limits_hit_total{limit="auth_failures"}')).toBe(2)
  clock.advance(1000)
  expect((await strict.connect({ headers: good })).id).toBe('ada')
})

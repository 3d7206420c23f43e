/** Connecting: parameters, the welcome, and refusals (docs/protocol.md#connecting). */
import { expect, test } from 'bun:test'
import { clientTypes, compile, Welcome } from '@arqonbus/protocol'
import {
  type ConnectOptions,
  eventually,
  open,
  openRaw,
  refusal,
  startBus,
  testClock,
  type UpgradeHead,
} from '@arqonbus/testing'
import { admissionOf } from './support/admission.ts'

const adminKey = 'correct-horse-battery-staple'
const clock = testClock()
const isoNow = () => new Date(clock.now()).toISOString()
const bus = await startBus({ adminKey, maxMetadataBytes: 64 }, { clock })
const tokenInQuery = await startBus({ adminKey, tokenInQuery: true })
const small = await startBus({ maxConnections: 2 })
const guarded = await startBus({ origins: ['https://app.example.org'] })

/** Tries to connect; resolves to the error reply, the close, and whether there was a welcome. */
async function turnedAway(options: ConnectOptions, url = bus.busUrl) {
  const socket = open(url, options)
  const [{ error }, { code, reason }] = await Promise.all([socket.answer(null), socket.closed])
  return { error, code, reason, others: socket.frames }
}

test('a client describes itself in the query, and the welcome returns the whole entity', async () => {
  const query = {
    client_id: 'agent.7@example-org_x',
    client_type: 'ai-agent',
    screen_name: 'Señor Agent 🤖',
    avatar: 'https://example.org/a.png',
    personality: 'curious',
    join: ['science:general', 'chat:*'],
  }
  const { welcome } = await bus.connect({ query })
  expect(welcome.client).toEqual({
    client_id: query.client_id,
    client_type: 'ai-agent',
    screen_name: query.screen_name,
    avatar: query.avatar,
    personality: query.personality,
    state: 'connected',
    connected_at: isoNow(),
    last_activity: isoNow(),
    subscriptions: ['chat:*', 'science:general'],
  })
  expect(welcome.subscriptions.toSorted()).toEqual(['chat:*', 'science:general'])
})

test('every query parameter is optional: the server generates an id, and the client type is human', async () => {
  const [one, two] = await Promise.all([bus.connect(), bus.connect()])
  expect(one.id).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$/)
  expect(one.id).not.toBe(two.id)
  expect(one.welcome.client).toMatchObject({ client_type: 'human', subscriptions: [] })
  expect(one.welcome.client).not.toContainAnyKeys(['screen_name', 'avatar', 'personality'])
})

test('any path of the URL leads to the bus, with the parameters behind it', async () => {
  for (const [n, path] of ['ws', 'some/other/path', '%20', '..%2f..'].entries()) {
    const raw = await openRaw(`${bus.busUrl}${path}?client_id=by-path-${n}`)
    expect((await raw.nextJson()).payload).toMatchObject({ event: 'welcome', client: { client_id: `by-path-${n}` } })
    raw.destroy()
  }
})

test('every client type is accepted', async () => {
  for (const type of clientTypes) {
    const { welcome } = await bus.connect({ query: { client_type: type } })
    expect(welcome.client.client_type).toBe(type)
  }
})

test('the welcome is a system envelope, arrives first and describes the session and the limits in force', async () => {
  const socket = open(bus.busUrl, { query: { client_id: 'guest', join: 'hall:a' } })
  const frame = await socket.next()
  expect(frame).toMatchObject({
    type: 'system',
    room: 'arqonbus',
    channel: 'control',
    from: 'arqonbus',
    timestamp: isoNow(),
  })
  expect(compile(Welcome)(frame.payload)).toBeUndefined()
  const { welcome: other } = await bus.connect()
  expect(frame.payload).toMatchObject({
    event: 'welcome',
    session: expect.stringMatching(/^[A-Za-z0-9_-]{32,}$/),
    node: other.node,
    bus: other.bus,
    versions: ['1.0'],
    heartbeat_ms: 25_000,
    durability: 'memory',
    resumed: false,
    kept_subscriptions: [],
    failed_joins: [],
    limits: {
      max_message_bytes: 262_144,
      max_depth: 64,
      max_subscriptions: 1000,
      messages_per_second: 1000,
      message_burst: 2000,
      dedup_window_ms: 120_000,
      session_ttl_ms: 600_000,
    },
  })
  expect(frame.payload.session).not.toBe(other.session)
})

test('two separate servers have different node ids and different bus ids', async () => {
  const [here, there] = await Promise.all([bus.connect(), tokenInQuery.connect()])
  expect(here.welcome.node).not.toBe(there.welcome.node)
  expect(here.welcome.bus).not.toBe(there.welcome.bus)
})

test('failed joins are listed in the welcome, each with its error, and all other joins succeed', async () => {
  const owner = await bus.connect()
  await owner.command('create_channel', { channel: 'closed:door', type: 'private' })
  const join = ['closed:door', 'open:door', 'arqonbus:control', 'arqonbus:*', 'open:pm', 'integriguard:new']
  const client = await bus.connect({ query: { join } })
  expect(client.welcome.subscriptions).toEqual(['open:door'])
  expect(client.welcome.failed_joins.map(({ channel, error }) => [channel, error.code])).toEqual([
    ['closed:door', 'forbidden'],
    ['arqonbus:control', 'system_channel'],
    ['arqonbus:*', 'system_room'],
    ['open:pm', 'system_channel'],
    ['integriguard:new', 'channel_not_found'],
  ])
  await client.publish({ room: 'open', channel: 'door' })
  expect(await client.messages()).toHaveLength(1)
})

test('a client is connected until it sends a frame, then active, and its last activity is the time of its last frame', async () => {
  const [quiet, watcher] = await Promise.all([bus.as('quiet-one'), bus.as('watcher')])
  const look = async () => {
    const { clients } = await watcher.command('list_clients', { limit: 1000 })
    return clients.find(({ client_id: id }) => id === 'quiet-one')
  }
  const connectedAt = isoNow()
  clock.advance(5000)
  expect(await look()).toMatchObject({ state: 'connected', connected_at: connectedAt, last_activity: connectedAt })
  await quiet.command('ping')
  expect(await look()).toMatchObject({ state: 'active', connected_at: connectedAt, last_activity: isoNow() })
})

test('the subprotocol arqonbus.v1 is selected when offered, and is not required', async () => {
  const offered = await bus.connect({ protocols: ['mqtt', 'arqonbus.v1'] })
  expect(offered.socket.protocol).toBe('arqonbus.v1')
  const none = await bus.connect()
  expect(none.socket.protocol).toBe('')
})

test('the server selects what it speaks, and a secret only if nothing but secrets is offered', async () => {
  const { welcome } = await bus.as('secretive')
  const token = `arqonbus.token.${adminKey}`
  const session = `arqonbus.session.${welcome.session}`
  const offers = [
    [token, token],
    [session, session],
    [`${session}, ${token}`, session],
    [`${token}, ${session}, arqonbus.v1`, 'arqonbus.v1'],
    [`${token}, mqtt, arqonbus.v1`, 'arqonbus.v1'],
  ] as const
  for (const [offer, answer] of offers) {
    const raw = await openRaw(bus.busUrl, { headers: { 'Sec-WebSocket-Protocol': offer } })
    const { status, headers } = await raw.head()
    expect([status, headers.get('sec-websocket-protocol')]).toEqual([101, answer])
    expect((await raw.nextJson()).payload).toMatchObject({ event: 'welcome' })
    raw.destroy()
  }
})

test('a client that offers only unknown subprotocols is told the supported ones, and closed with 4400', async () => {
  for (const [offer, selected] of [
    ['arqonbus.v2', 'arqonbus.v2'],
    ['mqtt, arqonbus.v2', 'mqtt'],
    ['ARQONBUS.V1', 'ARQONBUS.V1'],
    [`arqonbus.token.${adminKey}, arqonbus.v2`, 'arqonbus.v2'],
    ['a b', null],
  ] as const) {
    for (const url of [bus.busUrl, bus.telemetryUrl!]) {
      const raw = await openRaw(url, { headers: { 'Sec-WebSocket-Protocol': offer } })
      const { headers } = await raw.head()
      const refused = await admissionOf(raw)
      expect([offer, headers.get('sec-websocket-protocol'), refused]).toEqual([
        offer,
        selected,
        {
          status: 400,
          closeCode: 4400,
          error: expect.objectContaining({
            code: 'unsupported_version',
            details: {
              path: '/headers/sec-websocket-protocol',
              parameter: 'Sec-WebSocket-Protocol',
              expected: expect.stringContaining('arqonbus.v1'),
              supported: ['arqonbus.v1'],
            },
          }),
        },
      ])
    }
  }
})

test('a secret that is sent in several ways must be the same in each', async () => {
  const authorization = `Bearer ${adminKey}`
  const same = await bus.connect({
    headers: { authorization },
    protocols: ['arqonbus.v1', `arqonbus.token.${adminKey}`],
  })
  await same.close()
  const ways: [parameter: string, options: ConnectOptions][] = [
    ['token', { headers: { authorization }, protocols: ['arqonbus.v1', 'arqonbus.token.another'] }],
    ['token', { protocols: ['arqonbus.v1', 'arqonbus.token.one', 'arqonbus.token.two'] }],
    ['session', { headers: { 'arqonbus-session': 'one' }, protocols: ['arqonbus.v1', 'arqonbus.session.two'] }],
  ]
  for (const [parameter, options] of ways)
    expect(await turnedAway(options)).toMatchObject({ code: 4400, error: { details: { parameter } } })
  const both = { headers: { authorization }, query: { token: 'another' } }
  expect(await turnedAway(both, tokenInQuery.busUrl)).toMatchObject({ error: { details: { parameter: 'token' } } })
  const call = await fetch(`${tokenInQuery.httpUrl}/api/v1/status?token=another`, { headers: { authorization } })
  expect([call.status, await call.json()]).toMatchObject([400, { error: { details: { path: '/query/token' } } }])
})

test('the admin key gives a connection the admin role, as a bearer token or as an offered subprotocol', async () => {
  const [byHeader, byProtocol, user] = await Promise.all([
    bus.connect({ headers: { authorization: `Bearer ${adminKey}` } }),
    bus.connect({ protocols: ['arqonbus.v1', `arqonbus.token.${adminKey}`] }),
    bus.connect(),
  ])
  await user.publish({ room: 'raised', channel: 'a' })
  expect((await byHeader.command('pause_room', { room: 'raised' })).room.state).toBe('paused')
  expect((await byProtocol.command('resume_room', { room: 'raised' })).room.state).toBe('active')
  expect(await refusal(user.command('pause_room', { room: 'raised' }))).toMatchObject({ code: 'forbidden' })
})

test('a wrong token is refused after the upgrade with an error and close code 4401, and without a welcome', async () => {
  for (const options of [
    { headers: { authorization: 'Bearer wrong' } },
    { protocols: ['arqonbus.v1', 'arqonbus.token.wrong'] },
    { headers: { authorization: `Bearer ${adminKey}x` } },
  ]) {
    expect(await turnedAway(options)).toMatchObject({
      error: { code: 'unauthenticated', status: 401 },
      code: 4401,
      others: [],
    })
  }
  expect(await turnedAway({ headers: { authorization: 'Bearer any' } }, small.busUrl)).toMatchObject({ code: 4401 })
})

test('a token in the query is refused unless the setting allows it', async () => {
  const query = { token: adminKey }
  const refused = await turnedAway({ query })
  expect(refused).toMatchObject({ error: { code: 'invalid_parameters', details: { parameter: 'token' } }, code: 4400 })
  expect(JSON.stringify(refused)).not.toContain(adminKey)
  const admin = await tokenInQuery.connect({ query })
  await admin.publish({ room: 'by-query', channel: 'a' })
  expect(await admin.command('pause_room', { room: 'by-query' })).toMatchObject({ room: { state: 'paused' } })
  expect(await turnedAway({ query: { token: 'wrong' } }, tokenInQuery.busUrl)).toMatchObject({ code: 4401 })
})

const badParameters: [string, ConnectOptions, string][] = [
  ['an id with an invalid character', { query: { client_id: 'no spaces' } }, 'client_id'],
  ['an id that begins with a sign', { query: { client_id: '-a' } }, 'client_id'],
  ['an empty id', { query: { client_id: '' } }, 'client_id'],
  ['an id that is too long', { query: { client_id: 'a'.repeat(129) } }, 'client_id'],
  ['the id of the bus', { query: { client_id: 'arqonbus' } }, 'client_id'],
  ['two ids', { query: { client_id: ['a', 'b'] } }, 'client_id'],
  ['an unknown client type', { query: { client_type: 'robot' } }, 'client_type'],
  ['a screen name that is too long', { query: { screen_name: 'a'.repeat(129) } }, 'screen_name'],
  ['a screen name with a control character', { query: { screen_name: 'a\nb' } }, 'screen_name'],
  ['a screen name with a C1 control character', { query: { screen_name: 'a\u0085b' } }, 'screen_name'],
  ['an avatar that is too long', { query: { avatar: 'a'.repeat(2049) } }, 'avatar'],
  ['an avatar with a control character', { query: { avatar: '\u007f' } }, 'avatar'],
  ['a personality that is too long', { query: { personality: 'a'.repeat(1025) } }, 'personality'],
  ['a personality with a control character', { query: { personality: '\u0000' } }, 'personality'],
  ['an address without a channel', { query: { join: 'science' } }, 'join'],
  ['one bad address among good ones', { query: { join: ['science:a', 'science:'] } }, 'join'],
  ['an echo that is neither true nor false', { query: { echo: 'yes' } }, 'echo'],
  ['a resume that is not live', { query: { resume: 'later' } }, 'resume'],
  ['an unknown parameter', { query: { clientid: 'a' } }, 'clientid'],
  ['an Authorization without a bearer token', { headers: { authorization: 'Basic YTpi' } }, 'Authorization'],
]

test.each(badParameters)(
  '%s is refused with an error that names the parameter, and the connection closes with 4400',
  async (_, options, parameter) => {
    expect(await turnedAway(options)).toMatchObject({
      error: { code: 'invalid_parameters', status: 400, details: { parameter, expected: expect.any(String) } },
      code: 4400,
      reason: 'bad connection parameter',
      others: [],
    })
  },
)

test('query parameters of the maximum length are accepted', async () => {
  const query = {
    client_id: 'a'.repeat(128),
    screen_name: '\u{1f600}'.repeat(128),
    avatar: 'a'.repeat(2048),
    personality: 'é'.repeat(1024),
  }
  expect((await bus.connect({ query })).welcome.client).toMatchObject(query)
})

test('a client id that is in use is refused with 4409, and the connection that uses it is not affected', async () => {
  const first = await bus.as('the-one')
  const options = { query: { client_id: 'the-one' } }
  const expected = { error: { code: 'client_id_in_use', status: 409 }, code: 4409, others: [] }
  expect(await turnedAway(options)).toMatchObject(expected)
  expect(await turnedAway({ ...options, headers: { 'arqonbus-session': 'wrong' } })).toMatchObject(expected)
  await first.command('ping')
  expect(await first.everything()).toEqual([])
  await first.close()
})

const origins: [string, string, number][] = [
  ['the Host’s own name on its port', 'http://HOST:PORT', 101],
  ['the Host’s own name on any port', 'http://HOST:5173', 101],
  ['the Host’s own name by another scheme', 'https://HOST', 101],
  ['a configured origin', 'https://app.example.org', 101],
  ['a configured origin on another port', 'https://app.example.org:8443', 403],
  ['a configured origin by another scheme', 'http://app.example.org', 403],
  ['a foreign origin', 'https://evil.example', 403],
  ['an origin that ends like the Host', 'http://evil-HOST', 403],
  ['the origin of a file or a sandbox', 'null', 403],
]

test.each(origins)('the Origin header is checked: %s', async (_, template, expected) => {
  const { hostname, port } = new URL(guarded.busUrl)
  const origin = template.replace('HOST', hostname).replace('PORT', port)
  const raw = await openRaw(guarded.busUrl, { headers: { Origin: origin } })
  const { status, closeCode } = await admissionOf(raw)
  expect([status, closeCode]).toEqual([expected, expected === 403 ? 4403 : undefined])
  raw.destroy()
})

test('a connection without an Origin is accepted, and a foreign Origin is refused unless it is configured', async () => {
  const raw = await openRaw(guarded.busUrl)
  expect((await raw.head()).status).toBe(101)
  raw.destroy()
  const foreign = await openRaw(bus.busUrl, { headers: { Origin: 'https://app.example.org' } })
  expect(await admissionOf(foreign)).toMatchObject({
    status: 403,
    closeCode: 4403,
    error: { code: 'forbidden', details: { origin: 'https://app.example.org', setting: 'ARQONBUS_ORIGINS' } },
  })
})

test('a full server answers 503 with Retry-After and accepts a connection again once another has closed', async () => {
  const [one, two] = await Promise.all([small.connect(), small.connect()])
  const before = await small.metric('arqonbus_connections_refused_total{reason="full"}')
  const third = await openRaw(small.busUrl)
  const { status, headers } = await third.head()
  expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(await small.metric('arqonbus_connections_refused_total{reason="full"}')).toBe(before + 1)
  await one.close()
  const fourth = await eventually(() => small.connect())
  await Promise.all([two.close(), fourth.close()])
})

test('a refusal before the upgrade says why in one line of text, or in JSON where that is accepted', async () => {
  const asked = async (of: string, head: UpgradeHead, code: string) => {
    const text = await openRaw(of, head)
    const { status, headers } = await text.head()
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(headers.get('connection')).toBe('close')
    await eventually(() => expect(text.body()).toMatch(new RegExp(`^${code}: [^\n]+\n$`)))
    const json = await openRaw(of, { ...head, headers: { ...head.headers, Accept: 'application/json' } })
    expect((await json.head()).headers.get('content-type')).toBe('application/json; charset=utf-8')
    const { error } = await eventually(() => JSON.parse(json.body()))
    expect(error).toMatchObject({ code, status })
    for (const one of [text, json]) one.destroy()
    return [status, headers.get('retry-after')]
  }
  const full = await startBus({ maxConnections: 0 })
  const many = await startBus({ connectionRate: { perSecond: 0.001, burst: 1 } })
  await (await many.connect()).close()
  for (const port of ['busUrl', 'telemetryUrl'] as const) {
    expect(await asked(bus[port]!, { headers: { Upgrade: undefined } }, 'upgrade_required')).toEqual([426, null])
    expect(await asked(bus[port]!, { headers: { Connection: 'close' } }, 'invalid_upgrade')).toEqual([400, null])
    expect(await asked(bus[port]!, { headers: { 'Content-Length': '1' } }, 'invalid_upgrade')).toEqual([400, null])
  }
  expect(await asked(full.busUrl, {}, 'too_many_connections')).toEqual([503, '5'])
  expect(await asked(many.busUrl, {}, 'rate_limited')).toEqual([429, '1000'])
})

test('a plain HTTP request to the WebSocket port is answered with 426 and an Upgrade header', async () => {
  const response = await fetch(bus.busUrl.replace('ws:', 'http:'))
  expect(response.status).toBe(426)
  expect(response.headers.get('upgrade')).toBe('websocket')
})

/** Upgrade requests that are invalid, too large, or not allowed (docs/protocol.md#connecting, RFC 6455 §4.2, §10). */
import { afterEach, describe, expect, test } from 'bun:test'
import { open, openRaw, startBus, type UpgradeHead } from '@arqonbus/testing'
import { admissionOf } from '../support/admission.ts'
import { difference, readSamples } from './support/samples.ts'
import { expectServed } from './support/served.ts'

const bus = await startBus({ adminKey: 'the-key-of-the-admins', origins: ['https://app.example.org'] })

afterEach(() => expectServed(bus))

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The status of the response; the connection is ended afterwards. */
async function statusOf(head: UpgradeHead): Promise<number> {
  const raw = await openRaw(bus.busUrl, head)
  const { status } = await admissionOf(raw)
  raw.destroy()
  return status
}

describe('invalid upgrade requests', () => {
  const refused: Record<string, [status: number, head: UpgradeHead]> = {
    'plain HTTP': [426, { headers: { Upgrade: undefined } }],
    'another protocol': [426, { headers: { Upgrade: 'h2c' } }],
    'another method': [400, { method: 'POST', headers: { 'Content-Length': '0' } }],
    'an invalid method': [400, { method: '\u0016\u0003\u0001' }],
    'no `Connection: Upgrade`': [400, { headers: { Connection: undefined } }],
    'a connection to be closed': [400, { headers: { Connection: 'close' } }],
    'version 8': [426, { headers: { 'Sec-WebSocket-Version': '8' } }],
    'two versions': [426, { headers: { 'Sec-WebSocket-Version': ['13', '8'] } }],
    'no version': [426, { headers: { 'Sec-WebSocket-Version': undefined } }],
    'no key': [400, { headers: { 'Sec-WebSocket-Key': undefined } }],
    'a short key': [400, { headers: { 'Sec-WebSocket-Key': 'c2hvcnQ=' } }],
    'a key that is not Base64': [400, { headers: { 'Sec-WebSocket-Key': '!'.repeat(24) } }],
    'two keys': [400, { headers: { 'Sec-WebSocket-Key': [KEY, KEY] } }],
    'no Host': [400, { headers: { Host: undefined } }],
    'no Host, in HTTP/1.0': [400, { version: 'HTTP/1.0', headers: { Host: undefined } }],
    'two Hosts': [400, { headers: { Host: ['127.0.0.1', 'evil.example'] } }],
    'an empty Host': [400, { headers: { Host: '' } }],
    'an invalid Host': [400, { headers: { Host: 'exa mple<>' } }],
    'a Host with a path': [400, { headers: { Host: 'a/b?c' } }],
    'HTTP/2.0': [505, { version: 'HTTP/2.0' }],
    'a body': [400, { headers: { 'Content-Length': '5' } }],
    'a body in chunks': [400, { headers: { 'Transfer-Encoding': 'chunked' } }],
    'two lengths of the body': [400, { headers: { 'Content-Length': ['5', '6'] } }],
    'a length and chunks': [400, { headers: { 'Content-Length': '5', 'Transfer-Encoding': 'chunked' } }],
    'an invalid target': [400, { target: '*' }],
    'a header name with a space': [400, { headers: { 'X Y': 'z' } }],
    'a folded header': [400, { headers: { 'X-Folded': 'a\r\n b' } }],
    'a header with a line feed in it': [400, { headers: { 'X-Fed': 'a\nX-Injected: b' } }],
    'a header with a NUL': [400, { headers: { 'X-Nul': 'a\0b' } }],
    'a line without a colon': [400, { target: '/ HTTP/1.1\r\nnonsense' }],
    'a flood of headers': [
      431,
      { headers: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`X-${i}`, 'x'])) },
    ],
    'a header of 100,000 bytes': [431, { headers: { 'X-Long': 'x'.repeat(100_000) } }],
    'a target of 100,000 bytes': [431, { target: `/?screen_name=${'x'.repeat(100_000)}` }],
  }
  test.each(Object.entries(refused))(
    'an invalid upgrade request is refused before it becomes a connection: %s',
    async (_, [status, head]) => {
      expect(await statusOf(head)).toBe(status)
    },
  )

  test('refusals by the server are counted by reason', async () => {
    const before = await readSamples(bus)
    await statusOf({ headers: { Upgrade: undefined } })
    await statusOf({ headers: { Host: ['a', 'b'] } })
    await statusOf({ headers: { Origin: 'https://evil.example' } })
    const counted = difference(before, await readSamples(bus), (name) =>
      name.startsWith('arqonbus_connections_refused_total'),
    )
    expect(counted).toEqual({
      'arqonbus_connections_refused_total{reason="bad_request"}': 2,
      'arqonbus_connections_refused_total{reason="origin"}': 1,
    })
  })

  test('garbage instead of a request ends the connection', async () => {
    for (const garbage of [
      '\0\0\0\0',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'HELO\r\n\r\n',
      '\r\n'.repeat(10_000),
      'GET / HTTP/1.1\r\n\r\n',
    ]) {
      const raw = await openRaw(bus.busUrl, { method: garbage })
      await raw.ended
    }
  })
})

describe('an Origin', () => {
  const host = new URL(bus.busUrl).host
  const origins: Record<string, [status: number, headers: UpgradeHead['headers']]> = {
    'is not needed': [101, {}],
    'may be the Host itself': [101, { Origin: `http://${host}` }],
    'may be another port of the Host': [101, { Origin: 'https://127.0.0.1:3000' }],
    'may be one of the settings': [101, { Origin: 'https://app.example.org' }],
    'may not be anything else': [403, { Origin: 'https://evil.example' }],
    'may not be one of the settings on another port': [403, { Origin: 'https://app.example.org:8443' }],
    'may not be one of the settings without its scheme': [403, { Origin: 'http://app.example.org' }],
    'may not begin like the Host': [403, { Origin: 'http://127.0.0.1.evil.example' }],
    'may not end like one of the settings': [403, { Origin: 'https://evil-app.example.org' }],
    'may not hide behind a user name': [403, { Origin: `http://127.0.0.1@evil.example` }],
    'may not be null': [403, { Origin: 'null' }],
    'may not be empty': [403, { Origin: '' }],
    'may not come twice': [403, { Origin: ['https://app.example.org', 'https://evil.example'] }],
    'may not be a file': [403, { Origin: 'file://' }],
  }
  test.each(Object.entries(origins))('the Origin is checked: it %s', async (_, [status, headers = {}]) => {
    expect(await statusOf({ headers })).toBe(status)
  })
})

describe('subprotocols in the reply to an upgrade', () => {
  const offers: [offered: string, chosen: string | null][] = [
    ['arqonbus.v1', 'arqonbus.v1'],
    ['graphql-ws', 'graphql-ws'],
    ['arqonbus.token.the-key-of-the-admins, arqonbus.v1', 'arqonbus.v1'],
    ['graphql-ws, arqonbus.session.a-secret,arqonbus.v1', 'arqonbus.v1'],
    ['arqonbus.v2, arqonbus.token.the-key-of-the-admins', 'arqonbus.v2'],
    ['ARQONBUS.V1', 'ARQONBUS.V1'],
    ['constructor, __proto__', 'constructor'],
    ['a b', null],
    ['graphql-ws, arqonbus.token.the-key-of-the-admins', 'graphql-ws'],
    [', ,,', null],
  ]
  test.each(offers)(
    'the reply to the offer of "%s" selects an offered subprotocol and returns no secret beside others',
    async (offered, chosen) => {
      const raw = await openRaw(bus.busUrl, { headers: { 'Sec-WebSocket-Protocol': offered } })
      const { headers } = await raw.head()
      expect(headers.get('sec-websocket-protocol')).toBe(chosen)
      expect(JSON.stringify([...headers])).not.toMatch(/the-key-of-the-admins|a-secret/)
      expect(JSON.stringify(await raw.nextJson())).not.toMatch(/the-key-of-the-admins|a-secret/)
      raw.destroy()
    },
  )
})

test('the reply to an upgrade agrees to no extension, since compression would let a small frame be a huge one', async () => {
  for (const offered of [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits, x-webkit-deflate-frame',
    'nonsense',
  ]) {
    const raw = await openRaw(bus.busUrl, { headers: { 'Sec-WebSocket-Extensions': offered } })
    const { status, headers } = await raw.head()
    expect([status, headers.get('sec-websocket-extensions')]).toEqual([101, null])
    raw.destroy()
  }
})

describe('invalid connection parameters', () => {
  const wrong: Record<string, [parameter: string, query: string]> = {
    'an unknown parameter': ['admin', 'admin=true'],
    'a parameter name that objects inherit': ['__proto__', '__proto__=x'],
    'a parameter name that functions inherit': ['constructor', 'constructor=x'],
    'an id with a space': ['client_id', 'client_id=a%20b'],
    'an id with a line feed at its end': ['client_id', 'client_id=eve%0a'],
    'an id of 129 characters': ['client_id', `client_id=${'x'.repeat(129)}`],
    'an empty id': ['client_id', 'client_id='],
    'the id of the bus': ['client_id', 'client_id=arqonbus'],
    'an id that begins with a dot': ['client_id', 'client_id=.eve'],
    'an id with look-alike letters': ['client_id', 'client_id=%D0%B0da'],
    'two ids': ['client_id', 'client_id=eve&client_id=ada'],
    'an unknown client type': ['client_type', 'client_type=admin'],
    'a client type that objects inherit': ['client_type', 'client_type=constructor'],
    'a name of 129 characters': ['screen_name', `screen_name=${'x'.repeat(129)}`],
    'a name with a line feed': ['screen_name', 'screen_name=a%0Ab'],
    'a name with an escape': ['screen_name', 'screen_name=a%1B%5B31m'],
    'a name with a C1 control': ['screen_name', 'screen_name=a%C2%85b'],
    'a name with a line separator': ['screen_name', 'screen_name=a%E2%80%A8b'],
    'an avatar of 2,049 characters': ['avatar', `avatar=${'x'.repeat(2049)}`],
    'a personality of 1,025 characters': ['personality', `personality=${'x'.repeat(1025)}`],
    'an address without a channel': ['join', 'join=science'],
    'an address of three parts': ['join', 'join=a:b:c'],
    'an empty address': ['join', 'join='],
    'an address of stars': ['join', 'join=*:*'],
    'an echo that is neither true nor false': ['echo', 'echo=1'],
    'an echo value that objects inherit': ['echo', 'echo=toString'],
    'an invalid resume': ['resume', 'resume=__proto__'],
    'a token, which logs would contain': ['token', 'token=the-key-of-the-admins'],
  }
  test.each(Object.entries(wrong))(
    'an invalid connection parameter is refused after the upgrade, and the connection closes with 4400: %s',
    async (_, [parameter, query]) => {
      const opened = open(`${bus.busUrl}?${query}`)
      const reply = await opened.answer(null)
      expect(reply).toMatchObject({ status: 'error', error: { code: 'invalid_parameters', details: { parameter } } })
      expect(JSON.stringify(reply)).not.toContain('the-key-of-the-admins')
      expect((await opened.closed).code).toBe(4400)
      expect(opened.frames).toEqual([])
    },
  )

  test('a refused upgrade lists every wrong parameter and header, the first of them as `parameter`', async () => {
    const query = 'client_id=a%20b&colour=red&client_type=robot&echo=1&join=science&join=science:explore&join=a:b:c'
    const opened = open(`${bus.busUrl}?${query}&resume=1&screen_name=a%0Ab`, { headers: { Authorization: 'Basic x' } })
    const { code, details } = (await opened.answer(null)).error!
    expect(code).toBe('invalid_parameters')
    const faults = details!.faults as { parameter: string; path: string; expected: string }[]
    expect(faults.map(({ path, parameter }) => [path, parameter])).toEqual([
      ['/query/colour', 'colour'],
      ['/headers/authorization', 'Authorization'],
      ['/query/client_id', 'client_id'],
      ['/query/client_type', 'client_type'],
      ['/query/screen_name', 'screen_name'],
      ['/query/echo', 'echo'],
      ['/query/join/0', 'join'],
      ['/query/join/2', 'join'],
      ['/query/resume', 'resume'],
    ])
    expect(details).toEqual({ ...faults[0]!, faults })
    expect((await opened.closed).code).toBe(4400)
  })

  test('a telemetry subscriber is told every wrong parameter too', async () => {
    const opened = open(`${bus.telemetryUrl}?events=client_conected&client_events=&client_id=`, {
      protocols: ['arqonbus.v9'],
    })
    const { code, details } = (await opened.answer(null)).error!
    expect(code).toBe('unsupported_version')
    expect(details).toMatchObject({ parameter: 'Sec-WebSocket-Protocol', supported: ['arqonbus.v1'] })
    expect(details!.faults!.map(({ path }) => path)).toEqual([
      '/headers/sec-websocket-protocol',
      '/query/client_id',
      '/query/events',
      '/query/client_events',
    ])
    expect((await opened.closed).code).toBe(4400)
  })

  test('thousands of wrong parameters are refused with the first sixteen', async () => {
    const names = Array.from({ length: 2000 }, (_, i) => `${i}=`)
    const opened = open(`${bus.busUrl}?${names.join('&')}`)
    const { details } = (await opened.answer(null)).error!
    expect(details!.faults!.map(({ path }) => path)).toEqual(Array.from({ length: 16 }, (_, i) => `/query/${i}`))
  })

  test('frames sent along with a refused upgrade are not read', async () => {
    const raw = await openRaw(`${bus.busUrl}?client_id=arqonbus`)
    raw.frame({ payload: '{' })
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'invalid_parameters' } } })
    await expect(raw.nextJson()).rejects.toThrow('4400')
  })

  test('a query value that cannot be decoded is taken as it is and breaks nothing', async () => {
    for (const query of [
      'screen_name=%',
      'screen_name=%zz',
      'screen_name=%ED%A0%80',
      'screen_name=%ff%fe',
      'screen_name=%F0%9F%9A%80',
    ]) {
      const opened = open(`${bus.busUrl}?${query}`)
      expect((await opened.next()).payload).toMatchObject({
        event: 'welcome',
        client: { screen_name: expect.any(String) },
      })
      opened.socket.close()
      await opened.closed
    }
  })
})

describe('wrong secrets', () => {
  test('a wrong token closes the connection with 4401, however it is sent', async () => {
    const ways: Parameters<typeof open>[1][] = [
      { headers: { Authorization: 'Bearer wrong' } },
      { headers: { Authorization: 'Bearer the-key-of-the-admins-and-more' } },
      { protocols: ['arqonbus.v1', 'arqonbus.token.wrong'] },
      { protocols: ['arqonbus.v1', 'arqonbus.token.'] },
    ]
    for (const way of ways) {
      const opened = open(bus.busUrl, way)
      expect((await opened.answer(null)).error?.code).toBe('unauthenticated')
      expect((await opened.closed).code).toBe(4401)
    }
  })

  test('an Authorization header of another scheme or form is refused, not ignored', async () => {
    for (const Authorization of [
      'Basic dXNlcjpwYXNz',
      'Bearer',
      `Bearer ${' '.repeat(10_000)}`,
      'Bearer a b',
      'bearer',
    ]) {
      const opened = open(bus.busUrl, { headers: { Authorization } })
      expect((await opened.answer(null)).error?.code).toBe('invalid_parameters')
      expect((await opened.closed).code).toBe(4400)
    }
  })

  test('a wrong session neither takes over nor disturbs a connected client, and restores nothing of a former one', async () => {
    const ada = await bus.connect({
      query: { client_id: 'ada', session: 'none', screen_name: 'Ada', join: 'science:explore' },
    })
    const secret = ada.welcome.session
    expect(secret).toMatch(/^[A-Za-z0-9_-]{32,}$/)
    const guesses = [
      '',
      'x',
      secret.slice(0, -1),
      `${secret}x`,
      secret.toLowerCase(),
      'A'.repeat(secret.length),
      `${secret},${secret}`,
      'x'.repeat(8000),
    ]
    for (const guess of guesses) {
      const thief = open(bus.busUrl, { query: { client_id: 'ada' }, headers: { 'Arqonbus-Session': guess } })
      expect((await thief.answer(null)).error).toMatchObject({
        code: 'client_id_in_use',
        details: { client_id: 'ada' },
      })
      expect((await thief.closed).code).toBe(4409)
    }
    // The secret of another client is useless for an own id too.
    const bob = await bus.connect({
      query: { client_id: 'bob', session: 'none' },
      headers: { 'Arqonbus-Session': secret },
    })
    expect(bob.welcome).toMatchObject({ resumed: false, subscriptions: [] })
    expect(bob.welcome.session).not.toBe(secret)
    await bob.close()

    expect(await ada.publish({ room: 'science', channel: 'explore' })).toMatchObject({ recipients: 1 })
    await ada.publish({ type: 'private', channel: 'pm', metadata: { to: 'ada' } })
    await ada.close()
    const heir = await bus.connect({
      query: { client_id: 'ada' },
      headers: { 'Arqonbus-Session': `${secret.slice(1)}x` },
    })
    expect(heir.welcome).toMatchObject({ resumed: false, subscriptions: [], kept_subscriptions: [] })
    expect(heir.welcome.client.screen_name).toBeUndefined()
    const inbox = await heir.command('history', { channel: 'arqonbus:inbox' })
    expect(inbox.messages).toEqual([])
    await heir.close()
  })
})

/** The three ports with TLS (docs/guide/tls.md): what they speak, whom clients trust, and what is refused at the start. */
import { describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { createConnection } from 'node:net'
import { startServer, testConfig } from '@arqonbus/server'
import { connect, createAuthority, dial, open, upgradeRequest } from '@arqonbus/testing'
import { authority, filesOf, handshake, startTlsBus, write } from './fixture.ts'

const bus = await startTlsBus({ historySize: 10 })

test('all three URLs name TLS, and clients that trust the authority use all three ports', async () => {
  expect([bus.busUrl, bus.telemetryUrl, bus.httpUrl].map((url) => new URL(url!).protocol)).toEqual([
    'wss:',
    'wss:',
    'https:',
  ])
  const ann = await bus.connect({ query: { client_id: 'ann', join: 'science:general' } })
  const watcher = await bus.listen()
  const bob = await bus.connect({ query: { client_id: 'bob', join: 'science:general' } })
  expect((await watcher.next(({ payload }) => payload.eventType === 'client_connected')).payload.payload).toMatchObject(
    {
      client_id: 'bob',
    },
  )
  await bob.publish({ payload: { text: 'hello' } })
  expect((await ann.messages()).map(({ payload }) => payload)).toEqual([{ text: 'hello' }])
  expect(await (await bus.fetch('/health')).json()).toMatchObject({ status: 'ok' })
})

test('a large message arrives whole, and history is read over TLS', async () => {
  const ann = await bus.connect({ query: { client_id: 'large', join: 'large:one' } })
  const text = 'x'.repeat(200_000)
  await ann.publish({ room: 'large', channel: 'one', payload: { text } })
  const { messages } = await ann.command('history', { channel: 'large:one' })
  expect(messages.map(({ payload }) => payload)).toEqual([{ text }])
})

test('a port with TLS does not speak without it', async () => {
  for (const url of [bus.busUrl, bus.telemetryUrl!, bus.httpUrl]) {
    const socket = await dial(url)
    socket.write(upgradeRequest(url))
    expect(await socket.ended).toEqual({ code: undefined, reason: '' })
    expect(socket.body()).toBe('')
  }
})

test('a client refuses a certificate of an authority that it does not trust, and one for another host name', async () => {
  expect(await handshake(bus.busUrl, { ca: createAuthority('Another').ca })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  const other = await startTlsBus({ telemetry: false }, {}, authority.issue({ names: ['other.example'] }))
  expect(await handshake(other.busUrl, { servername: 'localhost' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  const { socket } = open(other.busUrl.replace('127.0.0.1', 'localhost'), { tls: { ca: authority.ca } })
  const problem = await new Promise<ErrorEvent>((resolve) => {
    socket.addEventListener('error', (event) => resolve(event as ErrorEvent))
  })
  expect(problem.message).toContain("Hostname/IP does not match certificate's altnames")
})

test('TLS 1.2 and 1.3 are spoken, and TLS 1.0 and 1.1 are refused', async () => {
  for (const url of [bus.busUrl, bus.telemetryUrl!, bus.httpUrl]) {
    expect(await handshake(url)).toBe('localhost TLSv1.3')
    expect(await handshake(url, { maxVersion: 'TLSv1.2' })).toBe('localhost TLSv1.2')
    for (const version of ['TLSv1.1', 'TLSv1'] as const)
      expect(await handshake(url, { minVersion: version, maxVersion: version })).toContain('PROTOCOL_VERSION')
  }
})

test('with the minimum version 1.3, TLS 1.2 is refused', async () => {
  const strict = await startTlsBus({ tlsMinVersion: '1.3', telemetry: false })
  expect(await handshake(strict.busUrl, { maxVersion: 'TLSv1.2' })).toContain('PROTOCOL_VERSION')
  expect(await handshake(strict.httpUrl)).toBe('localhost TLSv1.3')
})

test('with an authority of clients, only clients with a certificate of it are let in, on every port', async () => {
  const clients = createAuthority('Authority of the clients')
  const closed = await startTlsBus({ tlsClientCa: write(clients.ca) })
  const tls = { ca: authority.ca, ...clients.issue({ names: ['ann'] }) }
  for (const url of [closed.busUrl, closed.telemetryUrl!]) {
    const ann = await connect(url, { tls })
    expect(ann.welcome.client.client_id).toStartWith('client-')
    for (const wrong of [{ ca: authority.ca }, { ca: authority.ca, ...authority.issue({ names: ['ann'] }) }])
      expect((await open(url, { tls: wrong }).closed).code).toBeOneOf([1006, 1015])
  }
  expect((await fetch(`${closed.httpUrl}/health`, { tls } as RequestInit)).status).toBe(200)
  await expect(closed.fetch('/health')).rejects.toThrow()
})

test('a page that came without TLS is of another origin, and one with TLS is not', async () => {
  const named = await startTlsBus({ allowedHosts: ['bus.example'], telemetry: false })
  const from = (origin: string) =>
    named.fetch('/api/v1/rooms', { headers: { host: 'bus.example', origin } }).then(({ status }) => status)
  expect(await from('https://bus.example')).toBe(200)
  expect(await from('http://bus.example')).toBe(403)
  expect(await from('https://other.example')).toBe(403)
  const local = named.fetch('/api/v1/rooms', { headers: { origin: 'http://localhost:8137' } })
  expect((await local).status).toBe(200)
})

test('behind a proxy that speaks the PROXY protocol, TLS begins after the preamble', async () => {
  const relayed = await startTlsBus({ proxyProtocol: true, trustedProxies: ['loopback'], telemetry: false })
  const socket = createConnection(Number(new URL(relayed.httpUrl).port), '127.0.0.1')
  socket.write('PROXY TCP4 203.0.113.9 127.0.0.1 4711 9100\r\n')
  expect(await handshake(relayed.httpUrl, { socket } as never)).toBe('localhost TLSv1.3')
})

describe('a certificate that cannot be used ends the start with one line that names its setting', () => {
  const good = authority.issue()
  const encrypted = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey
  test.each([
    ['the key of another certificate', { cert: good.cert, key: authority.issue().key }, 'TLS_KEY .* is not the key of'],
    ['a key with a passphrase', { cert: good.cert, key: encrypted }, 'TLS_KEY .* has a passphrase'],
    ['a key that is cut off', { cert: good.cert, key: good.key.slice(0, 80) }, 'TLS_KEY .* has no private key'],
    ['a file without a certificate', { cert: good.key, key: good.key }, 'TLS_CERT .* has no certificate in PEM form'],
    [
      'a certificate that is cut off',
      { cert: good.cert.replace(/\n.{64}\n/, '\n'), key: good.key },
      'TLS_CERT .* not whole',
    ],
  ])('%s', async (_, files, expected) => {
    const start = startServer({ config: testConfig(filesOf(files)) })
    const problem: unknown = await start.catch((error: unknown) => error)
    expect(problem).toMatchObject({
      name: 'StartError',
      exitCode: 78,
      message: expect.stringMatching(new RegExp(`^ARQONBUS_${expected}.*\\.$`)),
    })
  })
})

/** Headers of every kind of response of the HTTP port (docs/guide/tls.md#security-headers). */
import { describe, expect, test } from 'bun:test'
import { consoleFiles } from '@arqonbus/console'
import { startBus } from '@arqonbus/testing'
import { startTlsBus } from './tls/fixture.ts'

const origins = ['https://app.example']
const bus = await startBus({ origins, apiStreams: 1, maxMessageBytes: 1024 }, { consoleFiles })
const messages = '/api/v1/rooms/science/channels/general/messages'
const json = { 'content-type': 'application/json', 'arqonbus-client-id': 'ann' }

/** A stream that stays open: the next one is refused. */
const stream = await fetch(`${bus.httpUrl}/api/v1/rooms/science/channels/general/stream`)
const etag = (await fetch(bus.httpUrl)).headers.get('etag') ?? ''

type Kind = readonly [name: string, status: number, path: string, init?: RequestInit]
const data: readonly Kind[] = [
  ['health', 200, '/health'],
  ['readiness', 200, '/ready'],
  ['the version', 200, '/version'],
  ['metrics', 200, '/metrics'],
  ['the header of metrics', 200, '/metrics', { method: 'HEAD' }],
  ['a result of the API', 200, '/api/v1/status'],
  ['the description of the API', 200, '/openapi.json'],
  ['a publish', 201, messages, { method: 'POST', body: '{"payload":{}}', headers: json }],
  ['an error of the API', 400, messages, { method: 'POST', body: '{', headers: json }],
  ['a body that is too long', 413, messages, { method: 'POST', body: 'x'.repeat(5000), headers: json }],
  ['a preflight', 204, messages, { method: 'OPTIONS', headers: { origin: origins[0]! } }],
  ['a foreign page', 403, '/api/v1/status', { headers: { origin: 'https://evil.example' } }],
  ['another host name', 421, '/health', { headers: { host: 'evil.example' } }],
  ['an unknown path', 404, '/nothing'],
  ['another method', 405, '/health', { method: 'POST', body: '{}' }],
  ['a long URL', 414, `/${'x'.repeat(9000)}`],
  ['a refused stream', 429, '/api/v1/rooms/science/channels/general/stream'],
  [
    'a stream that is refused with an event',
    200,
    '/api/v1/rooms/science/channels/general/stream',
    { headers: { accept: 'text/event-stream' } },
  ],
  ['the configuration of the console', 200, '/console/config.json'],
  ['another method of the console', 405, '/', { method: 'POST', body: '{}' }],
]
const pages: readonly Kind[] = [
  ['the console', 200, '/'],
  ['the script of the console', 200, '/console/app.js'],
  ['an unchanged console', 304, '/', { headers: { 'if-none-match': etag } }],
]

const everywhere = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}
const ofData = { 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'cache-control': 'no-store' }

const expectHeaders = ({ headers }: Response, expected: Record<string, string | null>) =>
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, headers.get(name)]))).toEqual(expected)

for (const [name, status, path, init] of data)
  test(`${name} is sent as data: not framed, not kept, and nothing in it runs`, async () => {
    const response = await fetch(bus.httpUrl + path, init)
    expect(response.status).toBe(status)
    expectHeaders(response, { ...everywhere, ...ofData, 'strict-transport-security': null })
  })

test('a stream of events is sent as data too', () => {
  expectHeaders(stream, { ...everywhere, ...ofData })
})

for (const [name, status, path, init] of pages)
  test(`${name} is not framed, and has a policy of its own`, async () => {
    const response = await fetch(bus.httpUrl + path, init)
    expect(response.status).toBe(status)
    expectHeaders(response, {
      ...everywhere,
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
      'strict-transport-security': null,
    })
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

test('an allowed origin reads a response of the API all the same', async () => {
  const response = await fetch(`${bus.httpUrl}/api/v1/status`, { headers: { origin: origins[0]! } })
  expectHeaders(response, { ...everywhere, 'access-control-allow-origin': origins[0]! })
})

describe('over TLS', async () => {
  const secure = await startTlsBus({ allowedHosts: ['bus.example'], telemetry: false }, { consoleFiles })
  const strict = async (path: string, host: string) =>
    (await secure.fetch(path, { headers: { host } })).headers.get('strict-transport-security')

  test('every response says that the host is to be asked by TLS only', async () => {
    for (const path of ['/', '/health', '/nothing', '/api/v1/status', '/api/v1/rooms/a/channels/b/stream'])
      expect([path, await strict(path, 'bus.example:9102')]).toEqual([path, 'max-age=63072000'])
  })

  test('for this machine itself nothing is said: it has ports of other programs', async () => {
    for (const host of ['localhost', 'app.localhost:9102', '127.0.0.1', '[::1]:9102'])
      expect([host, await strict('/health', host)]).toEqual([host, null])
  })
})

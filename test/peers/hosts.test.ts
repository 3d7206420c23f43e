/** The host name of a request, on all three ports (docs/protocol.md#hosts-and-origins). */
import { describe, expect, test } from 'bun:test'
import { eventually, openRaw, startBus, type TestBus, type UpgradeHead } from '@arqonbus/testing'
import { admissionOf } from '../support/admission.ts'

const lines: Record<string, unknown>[] = []
const take = (line: Record<string, unknown>) => void lines.push(line)
const logger = { debug: take, info: take, warn: take, error: take }
const bus = await startBus({}, { logger })
const configured = await startBus({
  allowedHosts: ['bus.example.org', '*.internal'],
  origins: ['https://app.example.org'],
  consoleBusUrl: 'wss://console.example.org/',
})

/** The expected response of each port to a valid request: an upgrade, or the version. */
const ports = [
  ['the bus', (of: TestBus) => of.busUrl, 101, {}],
  ['the telemetry server', (of: TestBus) => of.telemetryUrl!, 101, {}],
  ['HTTP', (of: TestBus) => `${of.httpUrl}/version`, 200, { Upgrade: undefined, Connection: undefined }],
] as const

describe.each(ports)('%s', (_, urlOf, served, headers) => {
  const ask = async (Host: string | string[] | undefined, of = bus, head: UpgradeHead = {}) => {
    const socket = await openRaw(urlOf(of), { ...head, headers: { ...headers, Host } })
    const { status, error } = await admissionOf(socket)
    const answered = status === 421 && error === undefined
    const refused = answered ? await eventually(() => JSON.parse(socket.body()).error) : error
    socket.destroy()
    return { status, error: refused }
  }

  test('a request to any IP address or to localhost is served', async () => {
    const hosts = [
      'localhost',
      'LOCALHOST:1',
      'localhost.',
      'a.localhost',
      '127.0.0.1',
      '127.0.0.1:9',
      '192.0.2.7',
      '[::1]:9',
      '[::ffff:127.0.0.1]',
    ]
    for (const host of hosts) expect([host, (await ask(host)).status]).toEqual([host, served])
  })

  test('a request to an unknown host name is refused, which protects against DNS rebinding', async () => {
    const hosts = [
      'evil.example',
      'evil.example:9100',
      'bus',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      'bus.example.org',
    ]
    for (const host of hosts) {
      const { status, error } = await ask(host)
      expect([host, status, error.code, error.message, error.details]).toEqual([
        host,
        421,
        'host_not_allowed',
        expect.stringContaining('ARQONBUS_ALLOWED_HOSTS'),
        { host, setting: 'ARQONBUS_ALLOWED_HOSTS' },
      ])
    }
    expect(lines).toContainEqual(
      expect.objectContaining({
        reason: 'host',
        host: 'evil.example',
        setting: 'ARQONBUS_ALLOWED_HOSTS',
        address: '127.0.0.1',
      }),
    )
  })

  test('requests to the configured host names are served', async () => {
    for (const host of [
      'bus.example.org',
      'BUS.example.org.:443',
      'pod-1.internal:9100',
      'app.example.org',
      'console.example.org',
    ])
      expect([host, (await ask(host, configured)).status]).toEqual([host, served])
    for (const host of ['internal', 'evil-bus.example.org', 'example.org'])
      expect([host, (await ask(host, configured)).status]).toEqual([host, 421])
  })

  test('the Host header decides, whatever the target of the request says', async () => {
    const { pathname } = new URL(urlOf(bus))
    expect((await ask('evil.example', bus, { target: `http://127.0.0.1${pathname}` })).status).toBe(421)
    expect((await ask('127.0.0.1', bus, { target: `http://127.0.0.1${pathname}` })).status).toBe(served)
  })

  test('an invalid or repeated Host header is refused', async () => {
    for (const host of [
      '',
      'a b',
      '127.0.0.1@evil.example',
      '127.0.0.1/x',
      ['127.0.0.1', 'evil.example'],
      ['127.0.0.1', '127.0.0.1'],
    ])
      expect([host, (await ask(host)).status]).toEqual([host, served === 200 ? 421 : 400])
  })

  test('a request of HTTP/1.1 without a Host header is refused', async () => {
    expect((await ask(undefined)).status).toBe(400)
  })
})

test('an HTTP/1.0 load balancer that sends no Host header gets /health', async () => {
  const socket = await openRaw(`${bus.httpUrl}/health`, {
    version: 'HTTP/1.0',
    headers: { Host: undefined, Upgrade: undefined, Connection: undefined },
  })
  expect((await socket.head()).status).toBe(200)
  socket.destroy()
})

test('the console and the API refuse an unknown host name like every other path', async () => {
  for (const path of [
    '/',
    '/health',
    '/ready',
    '/metrics',
    '/api/v1/status',
    '/api/v1/rooms/a/channels/b/stream',
    '/nothing',
  ]) {
    const response = await fetch(bus.httpUrl + path, { headers: { host: 'evil.example' } })
    expect([path, response.status]).toEqual([path, 421])
  }
})

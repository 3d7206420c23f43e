/**
 * Proxies that use the PROXY protocol, versions 1 and 2, in front of the three ports
 * (docs/guide/operations.md#behind-a-proxy).
 */
import { describe, expect, test } from 'bun:test'
import { dial, eventually, type RawSocket, startBus, upgradeRequest } from '@arqonbus/testing'

const lines: Record<string, unknown>[] = []
const take = (line: Record<string, unknown>) => void lines.push(line)
const logger = { debug: take, info: take, warn: take, error: take }
const settings = { proxyProtocol: true, trustedProxies: ['loopback'], historySize: 10 }
const bus = await startBus(settings, { logger })

const v1 = (address: string) => `PROXY TCP4 ${address} 127.0.0.1 4711 9100\r\n`
const v2 = (address: string) =>
  Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
    Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1, 0x12, 0x67, 0x23, 0x8c]),
  ])
const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`

/** Connects as a proxy does: the preamble, then the bytes of the client. */
const through = async (url: string, preamble: string | Uint8Array, bytes: string): Promise<RawSocket> => {
  const socket = await dial(url)
  socket.write(preamble)
  socket.write(bytes)
  return socket
}

/** Through the proxy too: without a preamble there is no response. */
const metric = async (name: string) => {
  const socket = await through(bus.httpUrl, v1('192.0.2.1'), request('/metrics', 'Connection: close\r\n'))
  await socket.ended
  return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(socket.body())?.[1])
}

describe.each([
  ['version 1', v1],
  ['version 2', v2],
] as const)('%s', (_, preambleOf) => {
  test('the preamble gives the client address of connections to the bus and to the telemetry server', async () => {
    for (const [url, event] of [
      [bus.busUrl, 'client_connected'],
      [bus.telemetryUrl!, 'telemetry_connected'],
    ] as const) {
      const socket = await through(url, preambleOf('203.0.113.9'), upgradeRequest(url))
      expect((await socket.head()).status).toBe(101)
      expect((await socket.nextJson()).payload.event).toBe('welcome')
      expect(lines).toContainEqual(expect.objectContaining({ event, address: '203.0.113.9' }))
      socket.frame({ kind: 'close', payload: Buffer.from([3, 232]) })
      await socket.ended
    }
  })

  test('the preamble gives the client address of a request, and forwarding headers are ignored', async () => {
    const bytes = request('/version', 'X-Forwarded-For: 198.51.100.1\r\nOrigin: https://evil.example\r\n')
    const socket = await through(bus.httpUrl, preambleOf('203.0.113.10'), bytes)
    expect((await socket.head()).status).toBe(200)
    const api = request('/api/v1/status', 'Origin: https://evil.example\r\n')
    const refused = await through(bus.httpUrl, preambleOf('203.0.113.10'), api)
    expect((await refused.head()).status).toBe(403)
    expect(lines).toContainEqual(expect.objectContaining({ event: 'http_refused', address: '203.0.113.10' }))
    for (const one of [socket, refused]) one.destroy()
  })
})

test('a preamble may arrive in pieces or in one piece with the request', async () => {
  const socket = await dial(bus.httpUrl)
  for (const byte of v2('203.0.113.11')) socket.write(Uint8Array.of(byte))
  socket.write(request('/version'))
  expect((await socket.head()).status).toBe(200)
  socket.destroy()
  const whole = await dial(bus.httpUrl)
  whole.write(v1('203.0.113.11') + request('/version'))
  expect((await whole.head()).status).toBe(200)
  whole.destroy()
})

test('each client behind the proxy has limits of its own', async () => {
  const limited = await startBus({ ...settings, maxConnectionsPerAddress: 1 })
  const statuses: number[] = []
  for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.2'])
    statuses.push((await (await through(limited.busUrl, v1(address), upgradeRequest(limited.busUrl))).head()).status)
  expect(statuses).toEqual([101, 429, 101])
})

test('an invalid preamble ends the connection and is counted and logged', async () => {
  const before = await metric('arqonbus_connections_refused_total{reason="proxy_protocol"}')
  for (const bytes of [request('/version'), 'PROXY TCP4 localhost 1.1.1.1 1 2\r\n', `PROXY ${'x'.repeat(500)}`]) {
    const socket = await through(bus.httpUrl, bytes, '')
    await socket.ended
    await expect(socket.head()).rejects.toThrow('ended')
  }
  expect(await metric('arqonbus_connections_refused_total{reason="proxy_protocol"}')).toBe(before + 3)
  expect(lines).toContainEqual(
    expect.objectContaining({
      event: 'connection_refused',
      reason: 'proxy_protocol',
      fault: 'malformed',
      address: '127.0.0.1',
    }),
  )
})

test('a connection from an untrusted proxy is ended before it is read', async () => {
  const strict = await startBus({ proxyProtocol: true, trustedProxies: ['192.0.2.1'] }, { logger })
  for (const url of [strict.busUrl, strict.telemetryUrl!, strict.httpUrl]) {
    const socket = await dial(url)
    socket.write(v1('203.0.113.9'))
    await socket.ended
  }
  expect(lines).toContainEqual(expect.objectContaining({ reason: 'proxy_protocol', fault: 'untrusted' }))
})

test('a proxied connection that ends on one side ends on the other, after everything sent has arrived', async () => {
  const before = await metric('arqonbus_connections')
  const socket = await through(bus.busUrl, v1('203.0.113.12'), upgradeRequest(bus.busUrl))
  await socket.nextJson()
  socket.destroy()
  await eventually(async () => expect(await metric('arqonbus_connections')).toBe(before))
  const last = await through(bus.httpUrl, v1('203.0.113.12'), request('/metrics', 'Connection: close\r\n'))
  await last.ended
  expect(last.body()).toContain('arqonbus_uptime_seconds')
})

test('a proxied client that does not read delays no other client and gets everything when it reads', async () => {
  const reading = await startBus({ ...settings, rateLimit: null, historySize: 1000 })
  const address = '/?client_id=reader&join=big:a'
  const reader = await dial(reading.busUrl)
  reader.write(v1('203.0.113.13'))
  reader.write(upgradeRequest(new URL(address, reading.busUrl).href))
  await reader.nextJson()
  reader.pause()
  const writer = await dial(reading.busUrl)
  writer.write(v1('203.0.113.14'))
  writer.write(upgradeRequest(new URL('/?client_id=writer&echo=false', reading.busUrl).href))
  await writer.nextJson()
  const text = 'x'.repeat(50_000)
  const COUNT = 300
  for (let n = 0; n < COUNT; n++) {
    const envelope = {
      version: '1.0',
      id: `arq_${n}`,
      type: 'event',
      room: 'big',
      channel: 'a',
      from: 'writer',
      timestamp: '2026-01-01T00:00:00Z',
      payload: { n, text },
      metadata: { ack: true },
    }
    writer.frame({ payload: JSON.stringify(envelope) })
    await writer.nextJson()
  }
  reader.resume()
  const numbers: unknown[] = []
  while (numbers.length < COUNT) numbers.push((await reader.nextJson()).payload.n)
  expect(numbers).toEqual(Array.from({ length: COUNT }, (_, n) => n))
  for (const one of [reader, writer]) one.destroy()
}, 120_000)

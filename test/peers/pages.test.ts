/** Requests that browsers send for pages, and their allowed effects (docs/protocol.md#hosts-and-origins). */
import { describe, expect, test } from 'bun:test'
import { openRaw, startBus, type TestBus } from '@arqonbus/testing'
import { admissionOf } from '../support/admission.ts'

const lines: Record<string, unknown>[] = []
const take = (line: Record<string, unknown>) => void lines.push(line)
const logger = { debug: take, info: take, warn: take, error: take }
const bus = await startBus({ origins: ['https://app.example.org'] }, { logger })

const sockets = [
  ['the bus', (of: TestBus) => of.busUrl],
  ['the telemetry server', (of: TestBus) => of.telemetryUrl!],
] as const

describe.each(sockets)('a WebSocket to %s', (_, urlOf) => {
  const { port } = new URL(urlOf(bus))
  const connect = async (Origin: string | undefined, Host: string, more: Record<string, string> = {}) => {
    const socket = await openRaw(urlOf(bus), { headers: { Origin, Host, ...more } })
    const { status } = await admissionOf(socket)
    socket.destroy()
    return status
  }

  test('a page under any loopback name may open a WebSocket under any loopback name', async () => {
    const names = ['localhost', '127.0.0.1', '[::1]']
    for (const page of names)
      for (const host of names)
        expect([page, host, await connect(`http://${page}:8137`, `${host}:${port}`)]).toEqual([page, host, 101])
  })

  test('a WebSocket from a page of another host is refused, and the log names origin, setting and address', async () => {
    for (const origin of ['https://evil.example', 'http://192.168.1.5:8137', 'http://localhost.evil.example'])
      expect([origin, await connect(origin, `127.0.0.1:${port}`)]).toEqual([origin, 403])
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: 'connection_refused',
        reason: 'origin',
        origin: 'http://192.168.1.5:8137',
        setting: 'ARQONBUS_ORIGINS',
        address: '127.0.0.1',
      }),
    )
    expect(await connect('http://localhost:8137', `192.168.1.5:${port}`)).toBe(403)
  })

  test('a WebSocket from a browser on another site without an Origin is refused', async () => {
    expect(await connect(undefined, `127.0.0.1:${port}`, { 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
    expect(await connect('https://app.example.org', `127.0.0.1:${port}`, { 'Sec-Fetch-Site': 'cross-site' })).toBe(101)
    expect(await connect(undefined, `127.0.0.1:${port}`)).toBe(101)
  })
})

describe('calls by HTTP', () => {
  const publish = '/api/v1/rooms/pages/channels/a/messages'
  const call = async (method: string, path: string, headers: Record<string, string>) => {
    const body = method === 'POST' ? { body: '{"payload":{}}' } : {}
    const abort = new AbortController()
    const response = await fetch(bus.httpUrl + path, { method, ...body, headers, signal: abort.signal })
    const { status } = response
    abort.abort()
    return status
  }
  const json = { 'content-type': 'application/json' }

  test('a call without browser headers is served, since curl and services send none', async () => {
    expect(await call('POST', publish, json)).toBe(201)
    expect(await call('GET', publish, {})).toBe(200)
  })

  test('a call that changes something is refused to a page of another site, whatever it sends', async () => {
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', origin: 'https://evil.example' },
    ]
    const types = [
      'application/json',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]
    for (const headers of foreign)
      for (const type of types)
        for (const path of [publish, '/api/v1/commands/create_channel'])
          expect([headers, type, await call('POST', path, { ...headers, 'content-type': type })]).toEqual([
            headers,
            type,
            403,
          ])
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: 'http_refused',
        reason: 'origin',
        origin: 'https://evil.example',
        setting: 'ARQONBUS_ORIGINS',
        address: '127.0.0.1',
      }),
    )
  })

  test('a call of an allowed page is served, and so is an address that the user typed', async () => {
    const known: Record<string, string>[] = [
      { origin: 'https://app.example.org', 'sec-fetch-site': 'cross-site' },
      { origin: 'http://localhost:8137', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
    ]
    for (const headers of known)
      expect([headers, await call('POST', publish, { ...headers, ...json })]).toEqual([headers, 201])
  })

  test('a call that reads is refused to an element of a foreign page and served to a followed link', async () => {
    expect(await call('GET', publish, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403)
    expect(await call('GET', publish, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200)
    expect(await call('HEAD', publish, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403)
  })

  test('a call for a stream is refused to a foreign page, even by a link', async () => {
    const stream = '/api/v1/rooms/pages/channels/a/stream'
    for (const mode of ['no-cors', 'navigate'])
      expect(await call('GET', stream, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode })).toBe(403)
    expect(await call('GET', stream, { origin: 'https://evil.example' })).toBe(403)
    expect(await call('GET', stream, {})).toBe(200)
  })
})

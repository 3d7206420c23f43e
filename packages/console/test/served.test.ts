import { afterAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { consoleFiles } from '@arqonbus/console'
import { type Config, startServer, testConfig } from '@arqonbus/server'

/** The limit for all files together, compressed. */
const MOST_BYTES = 150 * 1024

async function start(config: Partial<Config> = {}) {
  const bus = await startServer({ config: testConfig({ drainTimeoutMs: 200, ...config }), consoleFiles })
  afterAll(() => bus.drain('end of the test'))
  return bus
}

const bus = await start({ allowedHosts: ['bus.example.org'] })
const get = (path: string, init?: RequestInit) => fetch(bus.httpUrl + path, init)
const paths = ['/', '/console/app.js', '/console/app.css', '/console/icon.svg']

describe('the console on the HTTP port', () => {
  test('the console is served compressed, and all of it is under 150 KiB', async () => {
    let bytes = 0
    for (const path of paths) {
      const response = await get(path, { headers: { 'accept-encoding': 'gzip' }, decompress: false })
      expect([path, response.status, response.headers.get('content-encoding')]).toEqual([path, 200, 'gzip'])
      const body = await response.arrayBuffer()
      expect(response.headers.get('content-length')).toBe(String(body.byteLength))
      bytes += body.byteLength
    }
    expect(bytes).toBeLessThan(MOST_BYTES)
  })

  test('the console is served uncompressed to clients that accept nothing else', async () => {
    for (const path of paths) {
      const plain = await get(path, { headers: { 'accept-encoding': 'identity' } })
      const packed = await get(path)
      expect([path, plain.headers.get('content-encoding')]).toEqual([path, null])
      expect(await plain.text()).toBe(await packed.text())
    }
  })

  test('the console is served with a policy that allows nothing from other origins', async () => {
    for (const path of paths) {
      const { headers } = await get(path)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'",
      )
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*|data:|https?:/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
    }
  })

  test('the console may connect to the bus on its own host and to no other', async () => {
    const port = new URL(bus.busUrl).port
    const policy = async (host: string) => (await headFor(host)).match(/connect-src ([^;]*)/)?.[1]
    expect(await policy('bus.example.org:9102')).toBe(
      `'self' ws://bus.example.org:${port} wss://bus.example.org:${port}`,
    )
    expect(await headFor("evil.example; script-src 'unsafe-inline'")).toStartWith('http/1.1 421 ')
    expect(await policy('[::1]:9102')).toBe("'self' ws: wss:")
  })

  /** The head of a response to a request with any Host. */
  function headFor(host: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const socket = connect(Number(new URL(bus.httpUrl).port), '127.0.0.1')
    let head = ''
    socket.on('data', (chunk) => {
      head += chunk
    })
    socket.on('close', () => resolve(head.toLowerCase()))
    socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return promise
  }

  test('an unchanged file of the console is revalidated with an empty 304', async () => {
    for (const path of paths) {
      const first = await get(path)
      expect(first.headers.get('cache-control')).toBe('no-cache')
      const again = await get(path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } })
      expect([path, again.status, await again.text()]).toEqual([path, 304, ''])
    }
  })

  test('the console learns where the bus is: the port, or the configured URL', async () => {
    const config = async (httpUrl: string) => (await fetch(`${httpUrl}/console/config.json`)).json()
    expect(await config(bus.httpUrl)).toEqual({
      version: expect.any(String),
      bus_port: Number(new URL(bus.busUrl).port),
    })
    const behindProxy = await start({ consoleBusUrl: 'wss://bus.example.org/live' })
    expect(await config(behindProxy.httpUrl)).toMatchObject({ bus_url: 'wss://bus.example.org/live' })
    const { headers } = await fetch(behindProxy.httpUrl)
    expect(headers.get('content-security-policy')).toContain("connect-src 'self' wss://bus.example.org;")
  })

  test('the console answers other methods with 405, and HEAD with the header', async () => {
    for (const path of [...paths, '/console/config.json']) {
      const refused = await get(path, { method: 'POST', body: '{}' })
      expect([path, refused.status, refused.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD'])
      expect(await refused.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
      const head = await get(path, { method: 'HEAD' })
      expect([path, head.status, await head.text()]).toEqual([path, 200, ''])
    }
  })

  test('an unknown path of the console is a coded 404', async () => {
    for (const path of ['/console', '/console/', '/console/app.map', '/console/../package.json', '/index.html']) {
      const response = await get(path)
      expect([path, response.status, await response.json()]).toMatchObject([
        path,
        404,
        { error: { code: 'not_found' } },
      ])
    }
  })

  test('requests for the console are counted by path', async () => {
    await get('/')
    expect(await (await get('/metrics')).text()).toMatch(
      /arqonbus_http_requests_total\{method="GET",route="\/",status="200"\} \d+/,
    )
  })

  test('the console is not served if it is switched off', async () => {
    const { httpUrl } = await start({ console: false })
    expect((await fetch(httpUrl)).status).toBe(404)
    expect((await fetch(`${httpUrl}/health`)).status).toBe(200)
  })

  test('the console contains no way to turn text into code, and nothing of the server', async () => {
    const script = await (await get('/console/app.js')).text()
    expect(script.match(/\beval\(|new Function|["']node:|\bBuffer\.|\bBun\./)).toBeNull()
  })
})

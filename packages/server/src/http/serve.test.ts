import { afterAll, afterEach, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createFairQueue } from '../kit/fair-queue.ts'
import { StartError } from '../kit/start-error.ts'
import { versionInfo } from '../kit/version.ts'
import type { Logger } from '../observability/logger.ts'
import { silentLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { createListenPlainly } from '../peers/bind.ts'
import { takeOver } from '../sockets/take-over.ts'
import { json } from './answer.ts'
import { MAX_URL_LENGTH } from './gate.ts'
import { reason } from './health.ts'
import { type HttpOptions, type HttpPort, pathOf, serveHttp } from './serve.ts'

const ports: HttpPort[] = []
afterEach(async () => {
  await Promise.all(ports.splice(0).map((http) => http.close()))
})

const usual: Omit<HttpOptions, 'metrics'> = {
  host: '127.0.0.1',
  port: 0,
  names: { server: 'HTTP server', settings: { host: 'ARQONBUS_HTTP_HOST', port: 'ARQONBUS_HTTP_PORT' } },
  health: () => ({ status: 'ok', reasons: [] }),
  ready: () => ({ ready: true, reasons: [] }),
  version: versionInfo,
  isStopping: () => false,
  api: undefined,
  maxBodyBytes: 64 * 1024,
  httpBodyBytes: 1024 * 1024,
  httpBodyBytesPerAddress: 1024 * 1024,
  bus: { busPort: 9100, busUrl: undefined },
  console: undefined,
  logger: silentLogger,
  now: () => performance.now(),
  listen: createListenPlainly(takeOver),
  tls: undefined,
  clientAddress: (connection) => connection,
  isHostAllowed: () => true,
  rate: null,
  isMetricsToken: undefined,
  pipeline: Number.POSITIVE_INFINITY,
  keepAliveMs: 75_000,
  cacheMs: 0,
  turns: createFairQueue({ monotonic: () => 0 }),
}

function open(options: Partial<HttpOptions> = {}): HttpPort {
  const http = serveHttp({ ...usual, metrics: createMetrics(), ...options })
  ports.push(http)
  return http
}

/** Sends bytes and reads until the other side closes, or until `enough` is in the answer. */
async function exchange(http: HttpPort, bytes: string, enough?: string): Promise<string> {
  const socket = connect(http.port, '127.0.0.1')
  let answer = ''
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('data', (chunk) => {
    answer += chunk
    if (enough !== undefined && answer.includes(enough)) resolve()
  })
  // A refusal may reset the connection while we still write.
  socket.on('error', () => resolve())
  socket.on('close', () => resolve())
  await once(socket, 'connect')
  socket.write(bytes)
  await promise
  socket.destroy()
  return answer
}

/** Half a request has ten seconds to become a whole one. They begin now, and the other tests go on meanwhile. */
const patient = serveHttp({ ...usual, metrics: createMetrics(), keepAliveMs: 255_000 })
const halves = [
  'GET /hea',
  'GET /health HTTP/1.1\r\nHost: x\r\nX-',
  'POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n',
].map((bytes) => exchange(patient, bytes))
afterAll(() => patient.close())

/** Answers at once, and later after having said that it may take as long as it takes. */
const atOnceOrLater: HttpOptions['api'] = (path) => ({
  route: path,
  longestBody: () => 64 * 1024,
  originHeaders: () => ({}),
  async answer({ keepOpen }) {
    if (path === '/later') keepOpen()
    await Promise.resolve()
    return json(200, {})
  },
})
const brief = serveHttp({ ...usual, metrics: createMetrics(), keepAliveMs: 1000, api: atOnceOrLater })
const quiet = ['/', '/later'].map((path) => exchange(brief, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
afterAll(() => brief.close())

test('a connection without a further request is closed after the keep-alive time, also after a late response', async () => {
  expect((await Promise.all(quiet)).map((answer) => answer.slice(0, 15))).toEqual([
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK',
  ])
}, 60_000)

const statusLines = (answer: string) => answer.match(/HTTP\/1\.1 \d+/g)?.map((line) => Number(line.slice(9)))

test('/health reports the state of the bus', async () => {
  let now = 1000
  const http = open({
    now: () => now,
    health: () => ({ status: 'degraded', reasons: [reason('bootstrap_incomplete', 'x')] }),
  })
  now = 3500
  const before = Date.now()
  const response = await fetch(`${http.url}/health`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  const body = (await response.json()) as Record<string, string>
  expect(body as unknown).toEqual({
    status: 'degraded',
    timestamp: expect.any(String),
    uptime_seconds: 2.5,
    version: versionInfo.version,
    reasons: [reason('bootstrap_incomplete', 'x')],
  })
  expect(Date.parse(body.timestamp ?? '')).toBeWithin(before, Date.now() + 1)
})

test('/ready is 503 with its reasons while the server stops', async () => {
  let ready = false
  const http = open({ ready: () => ({ ready, reasons: ready ? [] : [reason('draining')] }) })
  const before = await fetch(`${http.url}/ready`)
  expect([before.status, await before.json()]).toEqual([503, { ready: false, reasons: [reason('draining')] }])
  ready = true
  expect((await fetch(`${http.url}/ready`)).status).toBe(200)
})

test('/version reports the running version and the supported protocol versions', async () => {
  const body = await (await fetch(`${open().url}/version`)).json()
  expect(body).toEqual({
    name: 'arqonbus',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    protocol: '1.0',
    supported: ['1.0'],
    build: { commit: null, runtime: expect.stringContaining('bun'), platform: expect.any(String) },
  })
})

test('/metrics is in the Prometheus text format and counts requests by route', async () => {
  const http = open()
  await fetch(`${http.url}/health`)
  await fetch(`${http.url}/made-up-by-a-client`)
  const response = await fetch(`${http.url}/metrics`)
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const text = await response.text()
  expect(text).toContain('arqonbus_http_requests_total{method="GET",route="/health",status="200"} 1')
  expect(text).toContain('arqonbus_http_requests_total{method="GET",route="other",status="404"} 1')
  expect(text).not.toContain('made-up')
})

test('a query and trailing slashes change nothing, and responses are not cached or sniffed', async () => {
  const http = open()
  for (const path of ['/health?x=1&y', '/health/', '/health//?']) {
    const response = await fetch(http.url + path)
    expect([path, response.status]).toEqual([path, 200])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('trailing slashes of a path are dropped, however many and whatever follows', () => {
  const paths = {
    '/health': '/health',
    '/health///?x=/': '/health',
    '//': '/',
    '/a//b/': '/a//b',
    'http://x': '',
    '': '',
  }
  for (const [url, path] of Object.entries(paths)) expect([url, pathOf(url)]).toEqual([url, path])
  expect(pathOf(`http://x/${'/'.repeat(15_000)}x/`)).toBe(`/${'/'.repeat(15_000)}x`)
})

test('a URL longer than the limit is refused with 414 and a code, and counted', async () => {
  const http = open()
  const ask = async (length: number) => {
    const answer = await fetch(`${http.url}/${'x'.repeat(length - http.url.length - 1)}`)
    return [answer.status, ((await answer.json()) as { error?: { code: string } }).error?.code]
  }
  expect(await ask(MAX_URL_LENGTH)).toEqual([404, 'not_found'])
  expect(await ask(MAX_URL_LENGTH + 1)).toEqual([414, 'uri_too_long'])
  const metrics = await (await fetch(`${http.url}/metrics`)).text()
  expect(metrics).toContain('arqonbus_limits_hit_total{limit="url_length"} 1')
  expect(metrics).toContain('arqonbus_http_requests_total{method="GET",route="other",status="414"} 1')
})

test('an unknown path is 404 in JSON with a code', async () => {
  const http = open()
  for (const path of ['/', '/nothing', '/HEALTH', '/%zz', '/health/x', '/__proto__', '/constructor']) {
    const response = await fetch(http.url + path, { method: path === '/nothing' ? 'POST' : 'GET' })
    expect([path, response.status, await response.json()]).toEqual([
      path,
      404,
      { error: { code: 'not_found', status: 404, message: expect.any(String) } },
    ])
  }
})

test('other methods are 405 in JSON with a code and the allowed methods', async () => {
  const http = open()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const response = await fetch(`${http.url}/health`, { method, body: method === 'POST' ? '{}' : undefined })
    expect([method, response.status, response.headers.get('allow')]).toEqual([method, 405, 'GET, HEAD'])
    expect(await response.json()).toEqual({
      error: { code: 'method_not_allowed', status: 405, message: expect.any(String) },
    })
  }
})

test('HEAD has the header of GET and no body', async () => {
  const http = open()
  const length = (await (await fetch(`${http.url}/version`)).arrayBuffer()).byteLength
  const answer = await exchange(http, 'HEAD /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const [head = '', body] = answer.split('\r\n\r\n')
  expect(head.toLowerCase()).toContain(`content-length: ${length}`)
  expect(body).toBe('')
})

test('pipelined requests are answered in order', async () => {
  const requests = ['/health', '/nothing', '/ready', '/version'].map(
    (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
  )
  const answer = await exchange(
    open({ ready: () => ({ ready: false, reasons: [] }) }),
    requests.join(''),
    '"supported"',
  )
  expect(statusLines(answer)).toEqual([200, 404, 503, 200])
})

test('an HTTP/1.0 request without a Host, as old load balancers send it, is answered', async () => {
  const answer = await exchange(open(), 'GET /health?from=lb HTTP/1.0\r\n\r\n')
  expect(statusLines(answer)).toEqual([200])
})

test('endless, malformed and non-HTTP request heads are refused, and the next request is served', async () => {
  const http = open()
  const long = 'x'.repeat(300_000)
  const broken: [string, number][] = [
    [`GET /${long} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    [`GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${long}\r\n\r\n`, 431],
    [`GET /health HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(10_000)}\r\n`, 431],
    [`POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${long}`, 413],
    ['\u0016\u0003\u0001 this is not HTTP\r\n\r\n', 400],
  ]
  for (const [bytes, status] of broken) {
    expect(statusLines(await exchange(http, bytes)) ?? [status]).toEqual([status])
    expect((await fetch(`${http.url}/health`)).status).toBe(200)
  }
  expect(statusLines(await exchange(http, 'GET /health HTTP/1.1\r\nHost: [[:::\r\nConnection: close\r\n\r\n'))).toEqual(
    [200],
  )
})

test('a failure is 500 with a code and is logged, and the next request is served', async () => {
  const lines: unknown[] = []
  const logger: Logger = { ...silentLogger, error: (line) => lines.push(line) }
  let fail = true
  const http = open({
    logger,
    health: () => {
      if (fail) throw new Error('a secret place')
      return { status: 'ok', reasons: [] }
    },
  })
  const response = await fetch(`${http.url}/health`)
  const text = await response.text()
  expect([response.status, JSON.parse(text).error.code]).toEqual([500, 'internal_error'])
  expect(text).not.toContain('secret')
  expect(lines).toEqual([{ event: 'http_failed', path: '/health', address: '127.0.0.1', error: expect.any(Error) }])
  fail = false
  expect((await fetch(`${http.url}/health`)).status).toBe(200)
})

test('a port in use is a StartError that names the setting', () => {
  const { port } = open()
  expect(() => open({ port })).toThrow(StartError)
  expect(() => open({ port })).toThrow(/port is in use.*ARQONBUS_HTTP_PORT/)
})

test('an address that is not of this machine is a StartError', () => {
  expect(() => open({ host: '203.0.113.5' })).toThrow(/no such address.*ARQONBUS_HTTP_HOST/)
  expect(() => open({ host: 'no-such-host.invalid' })).toThrow(/ARQONBUS_HTTP_HOST/)
})

test('an IPv6 address is in brackets in the URL', async () => {
  const http = open({ host: '::1' })
  expect(http.url).toBe(`http://[::1]:${http.port}`)
  expect((await fetch(`${http.url}/health`)).status).toBe(200)
})

test('a closed HTTP server refuses connections', async () => {
  const http = open()
  await http.close()
  await expect(fetch(`${http.url}/health`)).rejects.toThrow()
})

test('incomplete requests, also those refused before their body, are closed and delay no other request', async () => {
  expect((await fetch(`${patient.url}/health`)).status).toBe(200)
  expect((await Promise.all(halves)).map((answer) => answer.slice(0, 12))).toEqual(['', '', 'HTTP/1.1 404'])
}, 120_000)

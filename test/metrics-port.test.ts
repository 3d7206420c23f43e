/** Metrics on a port of their own, and behind a token (docs/guide/tls.md#metrics). */
import { expect, test } from 'bun:test'
import { startServer, testConfig } from '@arqonbus/server'
import { startBus } from '@arqonbus/testing'
import { authority, startTlsBus } from './tls/fixture.ts'

const [token, nextToken] = ['metrics-8fq3zk1wvx20', 'renewed-8fq3zk1wvx20']
const statusOf = async (url: string, init?: RequestInit) => (await fetch(url, init)).status

test('with a port of their own, metrics and health are there and nothing else, and the HTTP port has no metrics', async () => {
  const bus = await startBus({ metricsPort: 0, metricsHost: 'localhost' })
  expect(new URL(bus.metricsUrl!).hostname).toBe('localhost')
  const statuses = async (url: string) =>
    Promise.all(['/metrics', '/health', '/ready', '/version', '/api/v1/status'].map((path) => statusOf(url + path)))
  expect(await statuses(bus.metricsUrl!)).toEqual([200, 200, 200, 404, 404])
  expect(await statuses(bus.httpUrl)).toEqual([404, 200, 200, 200, 200])
  expect(await (await fetch(`${bus.metricsUrl}/metrics`)).text()).toContain('arqonbus_connections 0')
  await bus.drain('the end')
  await expect(fetch(`${bus.metricsUrl}/health`)).rejects.toThrow()
})

test('a port of the metrics that is in use ends the start with a line that names its setting', async () => {
  const first = await startBus({ metricsPort: 0 })
  const taken = Number(new URL(first.metricsUrl!).port)
  const start = startServer({ config: testConfig({ metricsPort: taken }) })
  await expect(start).rejects.toThrow(/the metrics cannot listen .* port is in use.*ARQONBUS_METRICS_PORT/)
  const fixed = await startBus()
  const httpPort = Number(new URL(fixed.httpUrl).port)
  await expect(startServer({ config: testConfig({ httpPort, metricsPort: 0 }) })).rejects.toThrow('ARQONBUS_HTTP_PORT')
})

test('with a token, metrics need it on whichever port they are, and health does not', async () => {
  for (const own of [{}, { metricsPort: 0 }]) {
    const bus = await startBus({ metricsToken: token, ...own })
    const url = bus.metricsUrl ?? bus.httpUrl
    const refused = await fetch(`${url}/metrics`)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await refused.json()).toMatchObject({ error: { code: 'unauthenticated' } })
    for (const authorization of [`Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token, 'Bearer '])
      expect([authorization, await statusOf(`${url}/metrics`, { headers: { authorization } })]).toEqual([
        authorization,
        401,
      ])
    expect(await statusOf(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).toBe(200)
    expect(await statusOf(`${url}/metrics/`, { method: 'HEAD' })).toBe(401)
    expect(await statusOf(`${url}/health`)).toBe(200)
  }
})

test('a new token is in force after a reload', async () => {
  let settings = testConfig({ metricsToken: token })
  const bus = await startBus({ metricsToken: token }, { readSettings: () => ({ config: settings }) })
  settings = testConfig({ metricsToken: nextToken })
  expect((await bus.reload()).changed).toEqual(['metrics_token'])
  const withToken = (one: string) => statusOf(`${bus.httpUrl}/metrics`, { headers: { authorization: `Bearer ${one}` } })
  expect([await withToken(token), await withToken(nextToken)]).toEqual([401, 200])
})

test('the port of the metrics speaks TLS like the others, and no PROXY protocol', async () => {
  const bus = await startTlsBus({ metricsPort: 0, proxyProtocol: true, trustedProxies: ['loopback'], telemetry: false })
  expect(bus.metricsUrl).toStartWith('https://')
  const tls = { ca: authority.ca }
  expect(await statusOf(`${bus.metricsUrl}/metrics`, { tls } as RequestInit)).toBe(200)
})

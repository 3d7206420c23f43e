/**
 * Secrets stay where they belong. A server with canaries in place of all its secrets is made to fail in every way that a
 * client can cause; no canary appears in anything that it says: log, crash, metrics, health, console, error replies,
 * telemetry, traces, printed settings.
 */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { connect, eventually, startRedis, type TestClient, textOf, withProgram } from '@arqonbus/testing'
import { type BusProcess, root, startBusProcess } from '../support/bus-process.ts'
import { startCollector } from '../support/collector.ts'
import { type Canary, createCanary } from './support/canaries.ts'
import {
  callWrongly,
  connectWrongly,
  publishPrivately,
  resumeWrongly,
  type Say,
  sendWrongly,
} from './support/leaky-attempts.ts'

setDefaultTimeout(120_000)

const main = join(root, 'packages/cli/src/main.ts')
const crashing = ['--preload', join(root, 'packages/cli/src/main.fixture.ts')]
const command = (...words: string[]) => [process.execPath, '--no-env-file', ...words]

/** What was said, by sink. */
function createSinks() {
  const sinks = new Map<string, string>()
  const say: Say = (sink, text) => void sinks.set(sink, `${sinks.get(sink) ?? ''}\n${text}`)
  return { sinks, say, leaks: (canary: Canary) => [...sinks].flatMap(([sink, text]) => canary.leaksIn(sink, text)) }
}

/** Everything that the HTTP port says to anybody. */
async function readPages({ httpUrl }: BusProcess, say: Say, metricsToken?: string): Promise<void> {
  const headers = { authorization: `Bearer ${metricsToken}` }
  const metrics = await fetch(`${httpUrl}/metrics`, metricsToken === undefined ? {} : { headers })
  expect(metrics.status).toBe(200)
  say('the metrics', await metrics.text())
  const paths = [
    '/',
    '/console/config.json',
    '/console/app.js',
    '/health',
    '/ready',
    '/version',
    '/metrics',
    '/nothing',
  ]
  const api = ['status', 'rooms', 'clients', 'series', 'openapi.json', 'commands'].map((name) => `/api/v1/${name}`)
  for (const path of [...paths, ...api]) {
    const response = await fetch(httpUrl + path)
    say(`GET ${path}`, JSON.stringify([...response.headers]) + (await response.text()))
  }
}

/** Attacks a bus and gathers what it says. */
async function provoke(
  bus: BusProcess,
  { adminKey, metricsToken }: { adminKey: string; metricsToken: string },
  canary: Canary,
  say: Say,
): Promise<TestClient> {
  const wall = await connect(bus.telemetryUrl)
  const ada = await connect(bus.busUrl, { query: { client_id: 'ada', join: 'science:explore' } })
  const admin = await connect(bus.busUrl, { headers: { Authorization: `Bearer ${adminKey}` } })
  for (const { welcome } of [ada, admin]) canary.add('session', welcome.session)
  await publishPrivately(ada, canary)
  await connectWrongly(bus, canary, say)
  await callWrongly(bus, canary, say)
  await sendWrongly(ada, adminKey, canary, say)
  await resumeWrongly(bus, ada.welcome.session, say)
  for (const name of ['status', 'list_clients', 'list_channels', 'list_rooms'] as const)
    say(`the result of ${name} for an admin`, JSON.stringify(await admin.command(name)))
  await readPages(bus, say, metricsToken)
  // The events of a tick are sent together: what happened before this one has been told with it.
  const last = await connect(bus.busUrl, { query: { client_id: 'the-last-one' } })
  const isLast = (text: string) => text.includes('client_connected') && text.includes('the-last-one')
  for (;;) {
    const text = textOf(await wall.next())
    say('telemetry', text)
    if (isLast(text)) break
  }
  await Promise.all([last, admin, wall].map((client) => client.close()))
  return ada
}

test('no secret of a client or of the server appears in a log, page, metric, reply, event, trace or crash', async () => {
  const canary = createCanary()
  const { sinks, say, leaks } = createSinks()
  const collector = startCollector()
  const adminKey = canary.of('admin key')
  const metricsToken = canary.of('metrics token')
  // A receiver that refuses everything: that is logged.
  let hooked = 0
  const receiver = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      hooked++
      say('webhooks', JSON.stringify([...request.headers]) + (await request.text()))
      return new Response('no', { status: 410 })
    },
  })
  const webhook = {
    url: `${receiver.url}${canary.of('path of the webhook')}`,
    events: ['client.connected', 'client.disconnected', 'channel.occupied'],
    secret: `whsec_${Buffer.from(canary.of('webhook secret, 32 bytes or more')).toString('base64')}`,
  }
  const bus = await startBusProcess({
    command: command(...crashing, main, 'serve'),
    settings: {
      ARQONBUS_ADMIN_KEY: adminKey,
      ARQONBUS_LOG_LEVEL: 'debug',
      ARQONBUS_MAX_VIOLATIONS: '1000000',
      ARQONBUS_METRICS_TOKEN: metricsToken,
      ARQONBUS_WEBHOOKS: JSON.stringify([webhook]),
      ARQONBUS_WEBHOOKS_ALLOW_PRIVATE: 'on',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${canary.of('collector key')}`,
      OTEL_BSP_SCHEDULE_DELAY: '1',
    },
  })
  try {
    await provoke(bus, { adminKey, metricsToken }, canary, say)
    // Spans that the collector refuses are logged.
    collector.answer = () => new Response('no', { status: 400 })
    const traced = await connect(bus.busUrl)
    await traced.publish({ metadata: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' } })
    await eventually(() => expect(bus.output()).toContain('"event":"traces'))
    await eventually(() => expect(hooked).toBeGreaterThan(0))
    expect(collector.spans.length).toBeGreaterThan(1)
    for (const { body } of collector.requests) say('traces', body)
    bus.signal('SIGUSR1')
    await bus.exited
    expect(bus.output()).toContain('"event":"crashed"')
    say('the log, with a crash', bus.output())
  } finally {
    bus.kill()
    await Promise.all([collector.stop(), receiver.stop(true)])
  }
  expect(sinks.size).toBeGreaterThan(25)
  expect(canary.size).toBeGreaterThan(150)
  expect(leaks(canary)).toEqual([])
})

test('a canary is found in every form in which it could leak', () => {
  const canary = createCanary()
  const secret = canary.of('token')
  const forms = [
    `x${secret}y`,
    secret.slice(-12),
    Buffer.from(secret).toString('hex'),
    Buffer.from(`Basic user:${secret}`).toString('base64'),
    Buffer.from(`"${secret}"`).toString('base64url'),
    Buffer.from(`  ${secret}  `).toString('base64'),
    Array.from(secret, (one) => `%${one.charCodeAt(0).toString(16)}`).join(''),
  ]
  for (const text of forms) expect([text, canary.leaksIn('sink', text)]).not.toEqual([text, []])
  expect(canary.leaksIn('sink', 'canary-token-1-x9')).toEqual([])
})

withProgram('redis-server', 'secrets of Redis', () => {
  test('the password of Redis appears nowhere, whether Redis takes it or not', async () => {
    const canary = createCanary()
    const { say, leaks } = createSinks()
    const password = canary.of('redis password')
    await using redis = await startRedis()
    await redis.command('ACL', 'SETUSER', 'bus', 'on', `>${password}`, '~*', '&*', '+@all')
    const bus = await startBusProcess({
      command: command(...crashing, main, 'serve'),
      settings: {
        ARQONBUS_REDIS_URL: `redis://bus:${password}@127.0.0.1:${redis.port}`,
        ARQONBUS_REDIS_TIMEOUT: '200ms',
        ARQONBUS_LOG_LEVEL: 'debug',
      },
    })
    try {
      const ada = await connect(bus.busUrl, { query: { client_id: 'ada', join: 'science:explore' } })
      const wall = await connect(bus.telemetryUrl)
      canary.add('session', ada.welcome.session)
      expect(await ada.publish({ room: 'science', channel: 'explore' })).toMatchObject({ durability: 'stored' })
      await redis.command('ACL', 'SETUSER', 'bus', 'resetpass', `>${canary.of('new redis password')}`)
      await redis.command('CLIENT', 'KILL', 'USER', 'bus')
      const { payload } = await wall.next(({ payload: { eventType } }) => eventType === 'storage_degraded')
      say('telemetry', JSON.stringify(payload))
      await ada.command('create_channel', { channel: 'science:new' })
      const refusedFor = ada.publish({ room: 'science', channel: 'explore', metadata: { ack: 'disk' } })
      say('a refusal', String(await refusedFor.catch((error: unknown) => error)))
      await eventually(() => expect(bus.output()).toContain('"reason":"wrongpass"'))
      await readPages(bus, say)
      bus.signal('SIGUSR1')
      await bus.exited
      say('the log, with a crash', bus.output())
    } finally {
      bus.kill()
    }
    expect(leaks(canary)).toEqual([])
  })
})

test('check-config prints no secret, whether the settings are right or wrong', async () => {
  const canary = createCanary()
  const { say, leaks } = createSinks()
  const whsec = () => `whsec_${Buffer.from(canary.of('webhook secret, 32 bytes or more')).toString('base64')}`
  const right = (): Record<string, string> => ({
    ARQONBUS_ADMIN_KEY: canary.of('key'),
    ARQONBUS_REDIS_URL: `redis://u:${canary.of('password')}@h:1`,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${canary.of('collector')}`,
    ARQONBUS_WEBHOOKS: `[{"url":"https://example.org/","events":["client.connected"],"secret":"${whsec()}"}]`,
  })
  const wrong = (url: string): Record<string, string> => ({
    ARQONBUS_ADMIN_KEY: `${canary.of('key')} with a space`,
    ARQONBUS_REDIS_PASSWORD: `${canary.of('password')}\u0001`,
    ARQONBUS_REDIS_URL: url,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${canary.of('collector')}@h/`,
    OTEL_EXPORTER_OTLP_HEADERS: `${canary.of('collector')} `,
    ARQONBUS_WEBHOOKS: `[{"url":"https://example.org/","events":["nothing"],"secret":"${whsec()}"}, "${canary.of('x')}"`,
  })
  const urls = ['redis://u:SECRET@h:1/x', 'redis-sentinel://u:SECRET@h:1', 'u:SECRET@h:1']
  const all = [right(), ...urls.map((url) => wrong(url.replace('SECRET', canary.of('password'))))]
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:ARQONBUS|OTEL)_/.test(name)))
  const codes = all.map(async (settings) => {
    const child = Bun.spawn(command(main, 'check-config'), {
      env: { ...env, ...settings },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    for (const text of [out, err]) say('check-config', text)
    return child.exited
  })
  expect(await Promise.all(codes)).toEqual([0, 78, 78, 78])
  expect(leaks(canary)).toEqual([])
})

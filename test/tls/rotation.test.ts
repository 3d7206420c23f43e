/** A certificate is replaced while the bus runs (docs/guide/tls.md#renewal). */
import { afterAll, describe, expect, test } from 'bun:test'
import { type Every, startServer, testConfig } from '@arqonbus/server'
import { eventually, refusal, type TestClient, testClock } from '@arqonbus/testing'
import { authority, serialAt, startTlsBus, write } from './fixture.ts'

const adminKey = 'correct-horse-battery-staple'
const reload = (client: TestClient) => client.command('reload', { admin_key: adminKey })
const textsOf = async (client: TestClient) => (await client.messages()).map(({ payload }) => payload.text)

describe('a renewed certificate', async () => {
  const bus = await startTlsBus({ adminKey, historySize: 10 })
  const before = await serialAt(bus.busUrl)
  const as = (id: string) => bus.connect({ query: { client_id: id, join: 'science:general' } })
  const [ann, watcher] = [await as('ann'), await bus.listen()]
  const stream = await bus.fetch('/api/v1/rooms/science/channels/general/stream')
  bus.replace(authority.issue())
  const result = await reload(ann)
  const bob = await as('bob')

  test('a reload reports it, and every port shows the new certificate to new connections', async () => {
    expect(result).toEqual({ changed: ['tls'], needs_restart: [] })
    const serials = await Promise.all([bus.busUrl, bus.telemetryUrl!, bus.httpUrl].map(serialAt))
    expect(new Set(serials).size).toBe(1)
    expect(serials[0]).not.toBe(before)
    expect(bus.lines).toContainEqual(expect.objectContaining({ event: 'reloaded', changed: ['tls'] }))
  })

  test('connections from before stay open, and messages pass between old and new ones', async () => {
    await ann.publish({ payload: { text: 'from before' } })
    await bob.publish({ payload: { text: 'from after' } })
    expect([await textsOf(ann), await textsOf(bob)]).toEqual([
      ['from before', 'from after'],
      ['from before', 'from after'],
    ])
    await watcher.next(({ payload: { eventType, payload } }) => {
      return eventType === 'client_connected' && (payload as { client_id: string }).client_id === 'bob'
    })
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('from after')) text += (await reader.read()).value ?? ''
    await reader.cancel()
  })

  test('a client without an echo gets none of its own messages, from either side of the change', async () => {
    const quiet = await bus.connect({ query: { client_id: 'quiet', join: 'science:general', echo: 'false' } })
    await quiet.publish({ payload: { text: 'quiet' } })
    expect([await textsOf(quiet), await textsOf(ann), await textsOf(bob)]).toEqual([[], ['quiet'], ['quiet']])
  })

  test('a second reload changes nothing', async () => {
    expect(await reload(ann)).toEqual({ changed: [], needs_restart: [] })
  })

  test('the port is still taken for a second bus', async () => {
    const config = testConfig({ port: Number(new URL(bus.busUrl).port) })
    await expect(startServer({ config })).rejects.toThrow('the port is in use')
  })
})

test('no attempt to connect fails while certificates are replaced', async () => {
  const bus = await startTlsBus({ adminKey, telemetry: false })
  const admin = await bus.connect()
  let isOver = false
  let connected = 0
  const connectAgainAndAgain = async () => {
    while (!isOver) {
      const client = await bus.connect()
      connected++
      await client.close()
    }
  }
  const clients = Array.from({ length: 8 }, connectAgainAndAgain)
  for (let change = 1; change <= 3; change++) {
    bus.replace(authority.issue())
    expect((await reload(admin)).changed).toEqual(['tls'])
    const before = connected
    await eventually(() => expect(connected).toBeGreaterThan(before + 20))
  }
  isOver = true
  await Promise.all(clients)
})

test('a key without its certificate, or half a file, leaves the old pair in force and says so', async () => {
  const bus = await startTlsBus({ adminKey, telemetry: false })
  const before = await serialAt(bus.busUrl)
  const admin = await bus.connect()
  const next = authority.issue()
  write(next.key, bus.tlsKey)
  const reason = `ARQONBUS_TLS_KEY cannot be used: ${bus.tlsKey} is not the key of the certificate in ARQONBUS_TLS_CERT.`
  expect(await refusal(reload(admin))).toMatchObject({ code: 'reload_failed', status: 500, details: { reason } })
  expect(bus.lines).toContainEqual({ level: 'error', event: 'reload_failed', reason })
  write(next.cert.slice(0, 200), bus.tlsCert)
  expect(await refusal(reload(admin))).toMatchObject({
    details: { reason: expect.stringContaining('has no certificate in PEM form') },
  })
  expect(await serialAt(bus.busUrl)).toBe(before)
  write(next.cert, bus.tlsCert)
  expect(await reload(admin)).toEqual({ changed: ['tls'], needs_restart: [] })
  expect(await serialAt(bus.busUrl)).not.toBe(before)
})

test('changed files are noticed without a reload, once they are the same at two looks', async () => {
  const timers: { readonly ms: number; readonly task: () => void }[] = []
  const every: Every = (ms, task) => {
    timers.push({ ms, task })
    return () => {}
  }
  const bus = await startTlsBus({ telemetry: false }, { every })
  const look = () => {
    for (const { ms, task } of timers) if (ms === 10_000) task()
  }
  const before = await serialAt(bus.busUrl)
  bus.replace(authority.issue())
  look()
  expect(await serialAt(bus.busUrl)).toBe(before)
  look()
  await eventually(async () => expect(await serialAt(bus.busUrl)).not.toBe(before))
  const after = await serialAt(bus.busUrl)
  write('nothing of a certificate', bus.tlsCert)
  for (let looks = 0; looks < 4; looks++) look()
  expect(await serialAt(bus.busUrl)).toBe(after)
  await eventually(() => expect(bus.lines.at(-1)?.event).toBe('certificate_unusable'))
  expect(bus.lines.filter(({ event }) => event === 'certificate_unusable')).toEqual([
    { level: 'error', event: 'certificate_unusable', reason: expect.stringContaining(bus.tlsCert) },
  ])
})

test('behind a proxy that speaks the PROXY protocol, a new certificate is shown too', async () => {
  const bus = await startTlsBus({ proxyProtocol: true, trustedProxies: ['loopback'], telemetry: false }, {})
  const { port } = new URL(bus.busUrl)
  const proxy = Bun.listen<{ to: Promise<Bun.Socket> }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        const to = Bun.connect({
          hostname: '127.0.0.1',
          port: Number(port),
          socket: { data: (_, bytes) => void socket.write(bytes), close: () => void socket.end() },
        })
        socket.data = { to }
        void to.then((server) => server.write('PROXY TCP4 203.0.113.9 127.0.0.1 4711 9100\r\n'))
      },
      data: ({ data }, bytes) => {
        const copy = Buffer.from(bytes)
        void data.to.then((server) => server.write(copy))
      },
      close: ({ data }) => void data.to.then((server) => server.end()),
    },
  })
  afterAll(() => proxy.stop(true))
  const proxied = `wss://127.0.0.1:${proxy.port}/`
  const before = await serialAt(proxied)
  bus.replace(authority.issue())
  expect(await bus.reload()).toEqual({ changed: ['tls'], needs_restart: [] })
  expect(await serialAt(proxied)).not.toBe(before)
})

test('the log warns of a certificate that ends soon or has ended, and a metric counts the seconds', async () => {
  const clock = testClock(Date.parse('2027-01-01T00:00:00Z'))
  const inDays = (days: number) => new Date(clock.now() + days * 86_400_000)
  const started = async (days: number) => {
    const certificate = authority.issue({ notBefore: new Date(0), notAfter: inDays(days) })
    const { lines, ...bus } = await startTlsBus({ telemetry: false }, { clock }, certificate)
    const [line] = lines.filter(({ event }) => event?.startsWith('certificate_'))
    return { bus, line: [line?.level, line?.event, line?.not_after] }
  }
  expect((await started(30)).line).toEqual(['info', 'certificate_loaded', '2027-01-31T00:00:00.000Z'])
  expect((await started(-1)).line).toEqual(['error', 'certificate_expired', '2026-12-31T00:00:00.000Z'])
  const { bus, line } = await started(13)
  expect(line).toEqual(['warn', 'certificate_expires_soon', '2027-01-14T00:00:00.000Z'])
  const secondsLeft = async () =>
    Number(/^arqonbus_tls_certificate_expiry_seconds (-?\d+)/m.exec(await bus.metrics())?.[1])
  expect(await secondsLeft()).toBe(13 * 86_400)
  clock.advance(14 * 86_400_000)
  expect(await secondsLeft()).toBe(-86_400)
})

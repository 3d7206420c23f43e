/**
 * Connections of one address over its limits, on the bus and on the telemetry server: refused and counted, without
 * effect on other addresses.
 */
import { describe, expect, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import { eventually, openRaw, startBus, type TestBus, testClock } from '@arqonbus/testing'
import { from } from './from.ts'

const ports = [
  ['the bus', (bus: TestBus) => bus.busUrl, 'maxConnectionsPerAddress', 'connections_per_address'],
  [
    'the telemetry server',
    (bus: TestBus) => bus.telemetryUrl!,
    'telemetryMaxConnectionsPerAddress',
    'telemetry_connections_per_address',
  ],
] as const

describe.each(ports)('%s', (_, urlOf, setting, limit) => {
  const start = (config: Partial<Config>, clock = testClock()) =>
    startBus({ trustedProxies: ['loopback'], ...config }, { clock })
  const connect = async (bus: TestBus, address: string) => {
    const socket = await openRaw(urlOf(bus), { headers: { ...from(address), Accept: 'application/json' } })
    const { status, headers } = await socket.head()
    const error = status === 429 ? await eventually(() => JSON.parse(socket.body()).error) : undefined
    return { socket, status, retryAfter: headers.get('retry-after'), connection: headers.get('connection'), error }
  }

  test('one address may have a limited number of connections, until one of them ends', async () => {
    const bus = await start({ [setting]: 2 })
    const [first] = [await connect(bus, '2001:db8::1'), await connect(bus, '2001:db8::2')]
    const refused = await connect(bus, '2001:db8::3')
    expect(refused).toMatchObject({
      status: 429,
      retryAfter: '5',
      error: { code: 'rate_limited', details: { limit, most: 2 } },
    })
    expect(refused.connection?.toLowerCase()).toBe('close')
    expect((await connect(bus, '2001:db8:0:1::1')).status).toBe(101)
    expect(await bus.metric('arqonbus_connections_refused_total{reason="address_full"}')).toBe(1)
    expect(await bus.metric(`arqonbus_limits_hit_total{limit="${limit}"}`)).toBe(1)
    first.socket.destroy()
    await eventually(async () => expect((await connect(bus, '2001:db8::3')).status).toBe(101))
  })

  test('one address may open connections at a limited rate', async () => {
    const clock = testClock()
    const bus = await start({ connectionRate: { perSecond: 1, burst: 3 } }, clock)
    const statuses: number[] = []
    for (let n = 0; n < 4; n++) statuses.push((await connect(bus, '203.0.113.1')).status)
    expect(statuses).toEqual([101, 101, 101, 429])
    expect(await connect(bus, '203.0.113.1')).toMatchObject({
      retryAfter: '1',
      error: { code: 'rate_limited', details: { limit: 'connection_rate', per_second: 1 }, retry_after_ms: 1000 },
    })
    expect((await connect(bus, '203.0.113.2')).status).toBe(101)
    clock.advance(1000)
    expect((await connect(bus, '203.0.113.1')).status).toBe(101)
    expect(await bus.metric('arqonbus_connections_refused_total{reason="rate"}')).toBe(2)
    expect(await bus.metric('arqonbus_limits_hit_total{limit="connection_rate"}')).toBe(2)
  })
})

test('a forwarding header from an untrusted peer has no effect', async () => {
  const bus = await startBus({
    maxConnectionsPerAddress: 1,
    telemetryMaxConnectionsPerAddress: 1,
    trustedProxies: ['192.0.2.1'],
  })
  for (const url of [bus.busUrl, bus.telemetryUrl!]) {
    const statuses: number[] = []
    for (const address of ['203.0.113.1', '203.0.113.2'])
      statuses.push((await (await openRaw(url, { headers: from(address) })).head()).status)
    expect(statuses).toEqual([101, 429])
  }
})

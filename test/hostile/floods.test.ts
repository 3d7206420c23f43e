/**
 * Floods, each with an honest client beside it: all its messages arrive once and in order, its history and its rooms
 * stay, `/health` answers, and the server holds no more than its limits say. Everything is counted; the soak measures
 * time and memory (test/soak/floods.test.ts).
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { eventually, readMetric } from '@arqonbus/testing'
import { startBusProcess } from '../support/bus-process.ts'
import { type Flood, floods } from './support/floods.ts'
import { startHonest } from './support/honest.ts'

const CONNECTIONS = 900
const REQUESTS = 100
const MiB = 1024 * 1024

const bus = await startBusProcess({
  settings: {
    ARQONBUS_TRUSTED_PROXIES: 'loopback',
    ARQONBUS_MAX_CONNECTIONS_PER_ADDRESS: String(CONNECTIONS),
    ARQONBUS_API_REQUESTS_PER_ADDRESS: String(REQUESTS),
    ARQONBUS_API_BODY_TIMEOUT: '10m',
    ARQONBUS_COMMAND_RATE: '1000/s,2000',
    // Also a slow machine reads several times as many.
    ARQONBUS_RATE_LIMIT: '200/s,500',
  },
})
afterAll(() => bus.stop('SIGKILL'))
const metric = (name: string) => readMetric(bus.httpUrl, name)

/** What has to become of what a flood of that size sends. */
const expected: Record<string, (size: number) => Record<string, number>> = {
  'idle connections of one address': (size) => ({ '101': CONNECTIONS, '429': size - CONNECTIONS }),
  'half handshakes': (size) => ({ open: size }),
  'messages of one client far above its rate': () => ({ '4429': 1 }),
  'parallel histories': (size) => ({ '100': size }),
  'metadata of the worst shapes': (size) => ({ accepted: 3 * size, invalid_parameters: size }),
  'half-sent bodies of HTTP requests': (size) => ({ waiting: REQUESTS, '429': size - REQUESTS }),
}

describe('floods with limits of their own', () => {
  test.each(floods.map((flood): [string, Flood] => [flood.title, flood]))(
    'an honest client gets everything during and after a flood: %s',
    async (title, { size, begin }) => {
      const honest = await startHonest(bus)
      const begun = begin(bus, size.test)
      await honest.during(begun)
      const { outcomes, end } = await begun
      try {
        await eventually(() => expect(outcomes()).toEqual(expected[title]!(size.test)))
        await honest.expectUnharmed()
        expect(await metric('arqonbus_connections')).toBeLessThanOrEqual(CONNECTIONS + 2)
        expect(await metric('arqonbus_send_queue_bytes')).toBeLessThanOrEqual(128 * MiB)
        expect(await metric('arqonbus_history_bytes')).toBeLessThanOrEqual(256 * MiB)
        expect(await metric('arqonbus_fanout_bytes')).toBeLessThanOrEqual(64 * MiB)
      } finally {
        await end()
      }
      await honest.expectUnharmed()
      await honest.close()
      // What the attacker held is given back.
      await eventually(async () => {
        expect(await metric('arqonbus_connections')).toBe(0)
        expect(await metric('arqonbus_send_queue_bytes')).toBe(0)
      })
    },
    120_000,
  )

  test('the limits that held the floods have counted them', async () => {
    for (const limit of ['connections_per_address', 'api_requests_per_address', 'message_rate'])
      expect(await metric(`arqonbus_limits_hit_total{limit="${limit}"}`)).toBeGreaterThan(0)
  })
})

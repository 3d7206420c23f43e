/**
 * Floods of what all clients share: the names of channels and the memory of the history. What one client takes is taken
 * from that client: the channels, the history and the private messages of others stay.
 */
import { afterAll, expect, test } from 'bun:test'
import { readMetric } from '@arqonbus/testing'
import { startBusProcess } from '../support/bus-process.ts'
import { type Flood, sharedFloods } from './support/floods.ts'
import { startHonest } from './support/honest.ts'

const MiB = 1024 * 1024
const CHANNELS = 3000

const bus = await startBusProcess({
  settings: {
    ARQONBUS_TRUSTED_PROXIES: 'loopback',
    ARQONBUS_MAX_CHANNELS: String(CHANNELS),
    ARQONBUS_CHANNEL_IDLE: '0s',
    ARQONBUS_HISTORY_BYTES: '8MiB',
    ARQONBUS_MAX_SESSIONS: '300',
  },
})
afterAll(() => bus.stop('SIGKILL'))
const metric = (name: string) => readMetric(bus.httpUrl, name)

test.each(sharedFloods.map((flood): [string, Flood] => [flood.title, flood]))(
  'what an honest client has survives a flood of %s',
  async (_, { size, begin }) => {
    const honest = await startHonest(bus)
    const begun = begin(bus, size.test)
    await honest.during(begun)
    const { outcomes, end } = await begun
    try {
      expect(outcomes().accepted).toBeGreaterThan(0)
      expect(await metric('arqonbus_channels')).toBeLessThanOrEqual(CHANNELS)
      expect(await metric('arqonbus_history_bytes')).toBeLessThanOrEqual(8 * MiB)
      await honest.expectUnharmed()
    } finally {
      await end()
    }
    await honest.close()
  },
  120_000,
)

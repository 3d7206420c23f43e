/**
 * One turn of the event loop does a bounded amount of work for any request: measured in units of work, because time
 * depends on the machine.
 */
import { describe, expect, test } from 'bun:test'
import { commandCases, frameCases, prepareFixture, type WorstCase } from '@arqonbus/testing'
import { startCountedBus } from './counted.ts'
import { UNIT_NS } from './counter.ts'

const MOST_MS = 10
const MOST_UNITS = (MOST_MS * 1e6) / UNIT_NS

const adminKey = 'correct-horse-battery-staple'
const bus = await startCountedBus({ adminKey, rateLimit: null, maxViolations: 1_000_000 })
const scale = {
  channels: 20_000,
  restricted: 3000,
  rooms: 50,
  channelsARoom: 200,
  large: 30,
  crowd: 200,
  subscribers: 3,
}
const fixture = await prepareFixture({ ...bus, adminKey, scale })

describe('bounded work per turn of the loop', () => {
  const all: readonly WorstCase[] = [...Object.values(commandCases), ...Object.values(frameCases)].flat()
  test.each(all.map((one) => [one.title, one] as const))(
    'one turn of the loop does a bounded amount of work for %s',
    async (_, { by, burst, frame }) => {
      const client = fixture.askers[by]
      await client.everything()
      await bus.counted()
      for (let i = 0; i < burst; i++) client.raw(frame(i, fixture))
      await client.everything()
      const { most } = await bus.counted()
      expect(most).toBeLessThan(MOST_UNITS)
    },
    60_000,
  )
})

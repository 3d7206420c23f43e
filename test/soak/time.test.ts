/** A minute of clock steps and freezes, of any length: no connection is closed, and nothing is forgotten. */
import { describe, expect, test } from 'bun:test'
import { createFakeClock, createRandom, withProgram } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'
import { settle } from '../support/nothing-forgotten.ts'

const MS = 60_000
const settings = { ARQONBUS_PING_INTERVAL: '500ms', ARQONBUS_PING_TIMEOUT: '1s' }

async function again(bus: BusProcess, step: () => unknown): Promise<void> {
  const { beat, expectNothingForgotten, leave } = await settle(bus)
  let steps = 0
  for (const until = performance.now() + MS; performance.now() < until; steps++) {
    await step()
    await expectNothingForgotten()
    await beat()
  }
  expect(steps).toBeGreaterThan(5)
  await leave()
}

const kept = { ...settings, ARQONBUS_DEDUP_WINDOW: '10m', ARQONBUS_CHANNEL_IDLE: '10m' }
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
process.stderr.write(`seed ${seed} (TEST_SEED)\n`)

withProgram('faketime', 'repeated steps of the server clock', () => {
  const DAYS_MS = 8 * 86_400_000
  const MINUTES_MS = 600_000

  test.each([
    // The monotonic clock is only set ahead: if it is set back, the timers of the runtime wait until it has caught up.
    ['wall', (below: Below) => below(2 * DAYS_MS) - DAYS_MS],
    ['all', (below: Below, last: number) => last + below(MINUTES_MS)],
  ] as const)(
    'a clock that is set again and again closes no connection and makes nothing expire (%s)',
    async (steps, next) => {
      const { below } = createRandom(seed)
      const clock = createFakeClock({ steps })
      const bus = await startBusProcess({ settings: { ...kept, ...clock.environment } })
      let offset = 0
      await again(bus, () => {
        offset = next(below, offset)
        clock.set(offset)
      })
      await bus.stop('SIGKILL')
      clock.clean(bus.pid)
      clock.remove()
    },
  )

  type Below = (count: number) => number
})

describe('a server that is frozen repeatedly', () => {
  test('a server frozen again and again for up to four times the ping timeout closes no connection', async () => {
    const { below } = createRandom(seed)
    const bus = await startBusProcess({ settings: { ...kept, ARQONBUS_SESSION_TTL: '4s' } })
    await again(bus, async () => {
      bus.signal('SIGSTOP')
      await Bun.sleep(100 + below(3900))
      bus.signal('SIGCONT')
    })
    await bus.stop('SIGKILL')
  })
})

/** The generated frames of test/hostile/frames.test.ts, with a hundred thousand seeds that no run had before. */
import { describe, expect, test } from 'bun:test'
import { fuzz } from '../hostile/support/fuzz.ts'
import { busPort, telemetryPort } from '../hostile/support/fuzzed-ports.ts'

const SEQUENCES = 100_000
const first = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000_000)
process.stderr.write(`seed ${first} (TEST_SEED)\n`)

describe.each([
  ['bus', busPort],
  ['telemetry server', telemetryPort],
] as const)('the port of the %s', (_, open) => {
  test('a hundred thousand generated sequences of frames are treated as RFC 6455 demands', async () => {
    const { port, expectServed } = await open()
    const tally = await fuzz(port, first, first + SEQUENCES - 1)
    await expectServed()
    expect(Object.values(tally).reduce((sum, count) => sum + count)).toBe(SEQUENCES)
  })
})

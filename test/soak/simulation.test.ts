/** The runs of `test/slow/random.test.ts` with further seeds. */
import { expect, test } from 'bun:test'
import { simulateSeeds } from '../support/simulate-seeds.ts'

for (const log of ['memory', 'slow'] as const) {
  test(`500 seeds over a log of the kind ${log} keep every promise`, async () => {
    expect((await simulateSeeds(log, 1001, 1500)).get('acknowledged')).toBeGreaterThan(0)
  })
}

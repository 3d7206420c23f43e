/**
 * Runs that chance leads: seven clients join, leave, publish, stop reading, are cut and come back, over a log that answers at once and over one that
 * does not, and a checker that knows only what they saw. One seed is one run; a run that fails says how to have it again:
 *
 *     TEST_SEED=17 npm run bun -- test test/slow/random.test.ts
 */
import { expect, test } from 'bun:test'
import { type SimulationOptions, simulate, violationsText } from '@arqonbus/testing'

const SEEDS = 25
const STEPS = 6000
const wanted = process.env.TEST_SEED
const seeds = wanted === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(wanted)]

/** Runs all seeds and counts what happened in them. */
async function runAll(log: SimulationOptions['log']): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const seed of seeds) {
    const { violations, counts: of } = await simulate({ seed, log, steps: STEPS }).catch((cause: unknown) => {
      throw new Error(`TEST_SEED=${seed}, log ${log}`, { cause })
    })
    if (violations.length > 0)
      throw new Error(`TEST_SEED=${seed}, log ${log}:\n${violationsText(violations.slice(0, 20))}`)
    for (const [what, count] of of) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  return counts
}

/** A run in which nothing happens keeps every promise. */
const expectHappened = (counts: Map<string, number>, what: readonly string[]) => {
  if (wanted === undefined) expect(what.filter((one) => (counts.get(one) ?? 0) < 3)).toEqual([])
}

test('over a log in memory every promise is kept', async () => {
  const counts = await runAll('memory')
  expectHappened(counts, [
    'acknowledged',
    'repeated',
    'recovered',
    'not recovered',
    'gap',
    'fell behind',
    'ended 1000',
    'delete done',
    'channel_deleted',
  ])
}, 120_000)

test('over a log that answers later, fails and is away now and then, every promise is kept', async () => {
  const counts = await runAll('slow')
  const failures = ['publish outcome_unknown', 'publish storage_unavailable', 'join storage_unavailable', 'ended 4429']
  expectHappened(counts, [
    'acknowledged',
    'repeated',
    'recovered',
    'not recovered',
    'fell behind',
    'ended 1000',
    ...failures,
  ])
}, 120_000)

test('the same seed gives the same run', async () => {
  const [one, other] = [
    await simulate({ seed: 3, log: 'slow', steps: 1500 }),
    await simulate({ seed: 3, log: 'slow', steps: 1500 }),
  ]
  expect(one.history.length).toBeGreaterThan(100)
  expect(other.history).toEqual(one.history)
})

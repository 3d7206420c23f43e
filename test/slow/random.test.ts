/**
 * Random simulations: seven clients join, leave, publish, stop reading, lose their connections and reconnect, over a
 * log that replies at once and over one that does not, and a checker that only knows what they observed. One seed is
 * one run; a failed run prints how to repeat it:
 *
 *     TEST_SEED=17 npm run bun -- test test/slow/random.test.ts
 *
 * The soak tests run hundreds of further seeds.
 */
import { expect, test } from 'bun:test'
import { type SimulationOptions, simulate } from '@arqonbus/testing'
import { simulateSeeds } from '../support/simulate-seeds.ts'

/** Twelve seeds whose runs include rare events, such as a gap. */
const [FIRST, LAST] = [48, 59]
const seed = process.env.TEST_SEED
const wanted = seed === undefined ? undefined : Number(seed)
/** Runs all seeds, or the requested one. */
const runAll = (log: SimulationOptions['log']) => simulateSeeds(log, wanted ?? FIRST, wanted ?? LAST)

/** A run without events keeps every promise. */
const expectHappened = (counts: Map<string, number>, what: readonly string[]) => {
  if (wanted === undefined) expect(what.filter((one) => (counts.get(one) ?? 0) < 3)).toEqual([])
}

test('a simulation over a log in memory keeps every promise', async () => {
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

test('a simulation over a log that is slow, fails and is unreachable at times keeps every promise', async () => {
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

test('the same seed gives the same simulation', async () => {
  const [one, other] = [
    await simulate({ seed: 3, log: 'slow', steps: 1500 }),
    await simulate({ seed: 3, log: 'slow', steps: 1500 }),
  ]
  expect(one.history.length).toBeGreaterThan(100)
  expect(other.history).toEqual(one.history)
})

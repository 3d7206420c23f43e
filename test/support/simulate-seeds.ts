/** Random simulations, one for each seed. */
import { type SimulationOptions, simulate, violationsText } from '@arqonbus/testing'

const STEPS = 6000

/** Runs the seeds from `first` to `last` and counts events; throws with the seed if a promise was broken. */
export async function simulateSeeds(
  log: SimulationOptions['log'],
  first: number,
  last: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let seed = first; seed <= last; seed++) {
    const { violations, counts: of } = await simulate({ seed, log, steps: STEPS }).catch((cause: unknown) => {
      throw new Error(`TEST_SEED=${seed}, log ${log}`, { cause })
    })
    if (violations.length > 0)
      throw new Error(`TEST_SEED=${seed}, log ${log}:\n${violationsText(violations.slice(0, 20))}`)
    for (const [what, count] of of) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  return counts
}

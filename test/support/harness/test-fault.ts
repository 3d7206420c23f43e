/** A fault as a test, short and long. */
import { test } from 'bun:test'
import type { Fault } from './fault.ts'
import { runFault } from './run-fault.ts'

/** The number of printed violations: the first ones explain the failure. */
const SHOWN = 20

/** The seed in `FAULT_SEED`, or a random one. */
const newSeed = (): number => Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))

/**
 * A test for each fault. Every run prints its seed, which repeats it:
 *
 *     FAULT_SEED=17 npm run bun -- test test/faults/redis/processes.test.ts -t 'kill -9 of Redis'
 */
export function testFaults(faults: readonly Fault[], { seconds }: { seconds?: number } = {}): void {
  for (const fault of faults) {
    test(
      fault.name,
      async () => {
        const seed = newSeed()
        process.stdout.write(`FAULT_SEED=${seed} ${fault.name}\n`)
        const { broken, counts } = await runFault(fault, { seed, ...(seconds !== undefined && { seconds }) })
        process.stdout.write(`  ${[...counts].map(([what, count]) => `${what} ${count}`).join(', ')}\n`)
        if (broken.length === 0) return
        throw new Error(`FAULT_SEED=${seed}: ${broken.length} broken promises\n${broken.slice(0, SHOWN).join('\n')}`)
      },
      { timeout: ((seconds ?? 0) + 300) * 1000 },
    )
  }
}

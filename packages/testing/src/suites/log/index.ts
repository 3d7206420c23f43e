/**
 * What every log keeps, with any driver: one suite for all drivers, a test for each sentence of the contract.
 *
 * The suite does not know whether a driver answers at once: after every append it lets the driver settle, and it awaits
 * every answer.
 */
import { afterEach, describe } from 'bun:test'
import { afterAway, whileAway } from './away.ts'
import { ending } from './ending.ts'
import { keeping } from './keeping.ts'
import { onTheNode } from './node.ts'
import { order } from './order.ts'
import { reading } from './reading.ts'
import { recognising } from './recognising.ts'
import { recovering } from './recovering.ts'
import { recoveringAtRandom } from './recovering-at-random.ts'
import { redacting, redactingInTheStore } from './redacting.ts'
import { createStage, endStages } from './stage.ts'
import { inTheStore } from './store.ts'
import type { Keeps, LogSettings, Make } from './under-test.ts'

export { draftOf } from './draft.ts'
export type { Keeps, LogSettings, LogUnderTest, StoreHand } from './under-test.ts'
export { announced, isAppended, watchLog } from './watch.ts'

/** The suite: `make` makes a driver with these settings and nothing in it. */
export function logSuite(name: string, keeps: Keeps, make: Make): void {
  const stage = (settings?: Partial<LogSettings>) => createStage(make, settings)
  describe(`the log, ${name}`, () => {
    afterEach(endStages)
    order(stage)
    reading(stage)
    redacting(stage)
    recovering(stage, keeps)
    recoveringAtRandom(stage)
    recognising(stage)
    keeping(stage, keeps)
    ending(stage)
    if (keeps === 'node') onTheNode(stage)
    else {
      inTheStore(stage)
      redactingInTheStore(stage)
      whileAway(stage)
      afterAway(stage)
    }
  })
}

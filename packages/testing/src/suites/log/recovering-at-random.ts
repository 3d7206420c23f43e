import { expect, test } from 'bun:test'
import type { Position } from '@arqonbus/protocol'
import type { Located, Log } from '@arqonbus/server'
import { createRandom } from '../../random.ts'
import { plain } from './outline.ts'
import type { Stage } from './stage.ts'
import { entryOf } from './watch.ts'

const STEPS = 120
const OPTIONS = { size: 4, ttlMs: 1000 }

/** A position that some log of the name has given, with the id of its message where it is one's. */
type Given = Position & { readonly id?: string; readonly log: number }

/**
 * A log lives as chance says: messages come, expire by number and age, the log is closed, deleted, and created again.
 * After each step clients ask to go on from positions that it gave at some time, or never gave. They recover exactly
 * where everything since is kept; else everything that is kept follows the base.
 */
export function recoveringAtRandom(stage: Stage) {
  const wanted = process.env.TEST_SEED
  for (const seed of wanted === undefined ? [1, 2, 3] : [Number(wanted)]) {
    test(`a client recovers only if everything since is kept, and gets what is kept in any case (TEST_SEED=${seed})`, async () => {
      await run(stage, seed)
    })
  }
}

async function run(stage: Stage, seed: number): Promise<void> {
  const random = createRandom(seed)
  const { open, append, answer, read, clock } = await stage()
  /** Counts the logs that the name has had: a new one begins where one was deleted that had something. */
  let generation = 0
  let log = await open('a:a', OPTIONS)
  const given: Given[] = []
  const ends = new Map<number, Position>()
  const note = (position: Position, id?: string) =>
    given.push({ ...plain(position), log: generation, ...(id !== undefined && { id }) })
  note(log.origin)

  const steps = [
    async () => {
      const id = `arq_${given.length}`
      note(entryOf(await append(log, { id })), id)
    },
    async () => clock.advance(random.below(400)),
    async () => {
      log.close()
      log = await open('a:a', OPTIONS)
    },
    async () => {
      if (log.lastDelivered.n > 0) ends.set(generation++, plain(log.lastDelivered))
      log.delete()
      log = await open('a:a', OPTIONS)
      note(log.origin)
    },
  ]
  const odds = [0, 0, 0, 0, 0, 0, 1, 1, 2, 3]

  for (let step = 0; step < STEPS; step++) {
    await steps[random.pick(odds)]!()
    const since = random.pick(given)
    const isKnownById = since.id !== undefined && random.chance(50)
    const found = await answer(log.locate(plain(since), isKnownById ? since.id : undefined))
    const kept = (await read(log)).entries.map(({ n }) => n)
    expectRight({ since, found, kept, log, isCurrent: since.log === generation, end: ends.get(generation - 1) })
    await expectBaseIsPosition(found, log, answer)

    const bogus = { ms: since.ms + 1 + random.below(3), n: since.n }
    const isGiven = given.some(({ ms, n }) => ms === bogus.ms && n === bogus.n)
    // Nothing is known of a message that left the log long ago: it may have been there.
    if (!isGiven && since.n >= (kept[0] ?? log.lastDelivered.n + 1) - 1)
      expect(await answer(log.locate(bogus, undefined))).toMatchObject({ recovered: false })
  }
}

/** What the oracle knows of one question. */
type Asked = {
  readonly since: Given
  readonly found: Located
  readonly kept: readonly number[]
  readonly log: Log
  /** Whether the position is of the log that there is now. */
  readonly isCurrent: boolean
  /** Where the log ended that was deleted before this one. */
  readonly end: Position | undefined
}

function expectRight({ since, found, kept, log, isCurrent, end }: Asked): void {
  const lacking = log.lastDelivered.n - since.n
  const isAllKept = kept.filter((n) => n > since.n).length === lacking
  if (isCurrent && isAllKept) return expect(found).toMatchObject({ recovered: true, missed: lacking })
  const isAtEnd = since.ms === end?.ms && since.n === end.n
  const isComplete = !isCurrent && isAtEnd && kept.length === log.lastDelivered.n
  expect(found).toMatchObject({
    recovered: false,
    reason: isCurrent ? 'trimmed' : 'reset',
    base: { n: log.lastDelivered.n - kept.length },
  })
  expect('isComplete' in found).toBe(isComplete)
}

/** A client that is cut right after it received the base comes back with it. */
async function expectBaseIsPosition(
  found: Located,
  log: Log,
  answer: <T>(asked: T | Promise<T>) => Promise<T>,
): Promise<void> {
  if (found.recovered) return
  const missed = log.lastDelivered.n - found.base.n
  expect(await answer(log.locate(found.base, undefined))).toMatchObject({ recovered: true, missed })
}

/**
 * One run against a fault: publishers and subscribers through the public client, a bus in a process of its own, a real Redis behind it. The fault comes
 * at a time that chance picks; then everything recovers, and what everybody saw is checked against what was promised. The run is led by its seed.
 * A short run only checks what happens, in whatever time it takes; a long one (`npm run test:soak`) also how long it takes.
 */
import { check, type TestRedis, violationsText } from '@arqonbus/testing'
import { createBirths } from './births.ts'
import type { Fault, Running } from './fault.ts'
import { type Load, startLoad } from './load.ts'
import { startMail } from './mail.ts'
import { lagOver250Ms, measure, notGivenBack, type Use } from './measure.ts'
import type { Record } from './record.ts'
import { addresses, type Bystander, type Stage, setStage } from './stage.ts'
import { until } from './until.ts'

/** How one run is done. */
export type RunOptions = {
  readonly seed: number
  /** Goes on injecting for so long; once where absent. */
  readonly seconds?: number
  /** What starts the bus, where it is not the usual program. */
  readonly command?: readonly string[]
}

/** What came of a run. */
export type RunResult = {
  /** Promises that were not kept, one a line. */
  readonly broken: string[]
  readonly counts: ReadonlyMap<string, number>
  readonly run: Running
}

/** Publishes succeed again this long after a fault, and everybody has caught up after twice as long (rule 8). */
const HEAL_MS = 5000
const CATCH_UP_MS = 10_000

/** Commands of a client that the fault does not touch take less (rule 10). */
const ISOLATED_MS = 50

/** Of fewer there is no 99th of a hundred to speak of. */
const LEAST_PINGS = 300

/** Runs the fault. Throws where the run itself does not come through. */
export async function runFault(fault: Fault, { seed, seconds, command }: RunOptions): Promise<RunResult> {
  const stage = await setStage(fault, {
    seed,
    isLong: seconds !== undefined,
    ...(command !== undefined && { command }),
  })
  const { run, record } = stage
  const broken: string[] = []
  try {
    const crowd = fault.crowd?.(seconds !== undefined) ?? 0
    const load = await startLoad({
      record,
      random: run.random,
      addresses,
      level: fault.level,
      crowd,
      otherUrl: run.otherLine.url,
      crowdUrl: run.crowdLine.url,
      births: fault.births ? createBirths(record, run.random, 'lab') : undefined,
    })
    const mail = fault.mail ? await startMail(record, run.random, fault.level) : undefined
    const bystander = fault.isIsolated ? await stage.startBystander() : undefined
    await fault.prepare?.(run)
    const before = await measure(run.bus, stage.redis())
    load.begin()
    mail?.begin()
    broken.push(...(await injectAll(fault, stage, { load, bystander, seconds })))
    await run.acknowledged(200)
    await load.stop()
    await caughtUp(record, load)
    await load.readHistory()
    broken.push(...((await mail?.end()) ?? []))
    await fault.verify?.(run)
    broken.push(...judge(fault, run), ...(await bounds(run, before, stage.redis())))
    if (seconds !== undefined) broken.push(...(await heldUp(run)))
  } catch (cause) {
    const state = [...record.counts].map(([what, count]) => `${what} ${count}`).join(', ')
    throw new Error(`FAULT_SEED=${seed}: ${cause}\n${state}\n${run.bus.output().slice(-2000)}`, { cause })
  } finally {
    await stage.clear()
  }
  return { broken, counts: record.counts, run }
}

/** Injects the fault at times that chance picks and lets everything heal: once, or for so many seconds. */
async function injectAll(
  fault: Fault,
  stage: Stage,
  { load, bystander, seconds }: { load: Load; bystander: Bystander | undefined; seconds: number | undefined },
): Promise<string[]> {
  const { run } = stage
  const broken: string[] = []
  const end = performance.now() + (seconds ?? 0) * 1000
  const pings: number[] = []
  do {
    await run.acknowledged(100 + run.random.below(400))
    await bystander?.takeMs(0)
    await stage.injecting(() => fault.inject(run))
    const late = await heal(run, load)
    const roundTripsMs = (await bystander?.takeMs(LEAST_PINGS)) ?? []
    if (seconds === undefined) continue
    broken.push(...late)
    for (const ms of roundTripsMs) pings.push(ms)
  } while (performance.now() < end)
  return [...broken, ...slowPings(pings)]
}

/** Waits until publishes succeed again, then until everybody has caught up; returns what rule 8 has against how long that took. */
async function heal({ record }: Running, load: Load): Promise<string[]> {
  const endedAt = performance.now()
  const broken: string[] = []
  const since = (limitMs: number, what: string) => {
    const ms = Math.round(performance.now() - endedAt)
    if (ms > limitMs) broken.push(`rule 8 (healing): ${what} only ${ms} ms after the fault`)
  }
  await until('publishes that succeed', () => [...load.lastTaken().values()].every((at) => at > endedAt))
  since(HEAL_MS, 'publishes succeeded')
  await caughtUp(record, load)
  since(CATCH_UP_MS, 'everybody had caught up')
  return broken
}

/** Waits until every subscriber has what is said now. */
async function caughtUp(record: Record, load: Load): Promise<void> {
  const markers = new Map(await load.mark())
  const isThere = (id: string, address: string) => record.hasReached(id, address, markers.get(address)!)
  const late = () =>
    [...load.subscribers].flatMap(([id, joined]) =>
      joined.filter((address) => !isThere(id, address)).map((address) => `${id} in ${address}`),
    )
  await until('everybody to catch up', () => late().length === 0).catch((cause) => {
    throw new Error(`${cause.message}; behind are ${late().slice(0, 10).join(', ')}`)
  })
}

/** Rules 1 to 7, and whether there was anything to keep them against. */
function judge(fault: Fault, run: Running): string[] {
  const { record } = run
  const { isKept, mayBreak = false, isWhole = !mayBreak, mustSee = [], mustNotSee = [] } = fault
  const violations = check(record.history, {
    isWhole,
    mayLose: mayBreak,
    ...(isKept !== undefined && { isKept: (acknowledgement) => isKept(acknowledgement, run) }),
  })
  const inHistory = new Set(record.history.flatMap((seen) => (seen.f === 'history' ? [seen.id] : [])))
  const provisional = record.history.flatMap((seen) => (seen.f === 'deliver' && !seen.position ? [seen.id] : []))
  // A bus that is killed takes with it what it held; nobody else may.
  const forgotten = (run.isUnbroken && !mayBreak ? [...new Set(provisional)] : [])
    .filter((id) => !inHistory.has(id))
    .map((id) => `${id} was delivered as provisional and is not in the history`)
  return [
    ...violations.map((violation) => violationsText([violation])),
    ...(mayBreak ? [] : record.gaps.map((gap) => `nothing was lost, and a gap was told to ${gap}`)),
    ...mustSee.filter((what) => !record.counts.has(what)).map((what) => `nothing was tried: there was no ${what}`),
    ...mustNotSee
      .filter((what) => record.counts.has(what))
      .map((what) => `there was ${record.counts.get(what)} ${what}`),
    ...forgotten,
    ...record.surprises,
  ]
}

/** Rule 9: what a run takes it gives back. */
async function bounds({ bus }: Running, before: Use, redis: TestRedis | undefined): Promise<string[]> {
  let left: string[] = []
  await until('resources', async () => {
    left = notGivenBack(before, await measure(bus, redis))
    return left.length === 0
  }).catch(() => {})
  return left.map((text) => `rule 9 (bounds): ${text}`)
}

/** Rule 9, too: the loop was never held up. */
async function heldUp({ bus }: Running): Promise<string[]> {
  const lag = await lagOver250Ms(bus)
  if (lag.late <= allowed(lag.of)) return []
  return [`rule 9 (bounds): the loop was held up for more than 250 ms in ${lag.late} of ${lag.of} samples`]
}

/** So many of a number of samples may be over what 99 in 100 keep to; of few samples, one: the machine is not ours alone. */
const allowed = (samples: number): number => Math.max(1, samples / 100)

/** Rule 10: whom the fault does not touch does not feel it. */
function slowPings(pingsMs: number[]): string[] {
  const slow = pingsMs.filter((ms) => ms > ISOLATED_MS)
  if (slow.length <= allowed(pingsMs.length)) return []
  return [
    `rule 10 (isolation): ${slow.length} of ${pingsMs.length} commands took ${slow.map(Math.round).join(', ')} ms`,
  ]
}

/**
 * One run of a fault: publishers and subscribers with the public client, a bus in a separate process, and a real Redis.
 * The fault is injected at a random time; then everything recovers, and the observations are checked against the
 * promises. The seed determines the run. A short run only checks outcomes, however long they take; a long one (`npm run
 * test:soak`) also their times.
 */
import { check, type TestRedis, violationsText } from '@arqonbus/testing'
import type { Fault, Running } from './fault.ts'
import { addresses, type Bystander, createFixture, type Fixture } from './fixture.ts'
import { type Load, startLoad } from './load.ts'
import { startMail } from './mail.ts'
import { lagOver250Ms, measure, notGivenBack, type Use } from './measure.ts'
import { createNewChannels } from './new-channels.ts'
import type { Record } from './record.ts'
import { until } from './until.ts'

/** Options of one run. */
export type RunOptions = {
  readonly seed: number
  /** Injects faults for this long; once if absent. */
  readonly seconds?: number
  /** The command that starts the bus. Default: the usual program. */
  readonly command?: readonly string[]
}

/** The result of a run. */
export type RunResult = {
  /** The broken promises, one per line. */
  readonly broken: string[]
  readonly counts: ReadonlyMap<string, number>
  readonly run: Running
}

/**
 * After a fault publishes succeed again within this time, and all subscribers have caught up within twice the time
 * (rule 8).
 */
const HEAL_MS = 5000
const CATCH_UP_MS = 10_000

/** The time limit of commands of a client that the fault does not affect (rule 10). */
const ISOLATED_MS = 50

/** With fewer pings, a 99th percentile is not meaningful. */
const LEAST_PINGS = 300

/** Runs the fault. Throws if the run itself fails. */
export async function runFault(fault: Fault, { seed, seconds, command }: RunOptions): Promise<RunResult> {
  const fixture = await createFixture(fault, {
    seed,
    isLong: seconds !== undefined,
    ...(command !== undefined && { command }),
  })
  const { run, record } = fixture
  const broken: string[] = []
  try {
    const extraSubscribers = fault.extraSubscribers?.(seconds !== undefined) ?? 0
    const load = await startLoad({
      record,
      random: run.random,
      addresses,
      level: fault.level,
      extraSubscribers,
      otherUrl: run.otherProxy.url,
      extraUrl: run.extraProxy.url,
      newChannels: fault.newChannels ? createNewChannels(record, run.random, 'lab') : undefined,
    })
    const mail = fault.mail ? await startMail(record, run.random, fault.level) : undefined
    const bystander = fault.isIsolated ? await fixture.startBystander() : undefined
    await fault.prepare?.(run)
    const before = await measure(run.bus, fixture.redis())
    load.begin()
    mail?.begin()
    broken.push(...(await injectAll(fault, fixture, { load, bystander, seconds })))
    await run.acknowledged(200)
    await load.stop()
    await caughtUp(record, load)
    await load.readHistory()
    broken.push(...((await mail?.end()) ?? []))
    await fault.verify?.(run)
    broken.push(...judge(fault, run), ...(await bounds(run, before, fixture.redis())))
    if (seconds !== undefined) broken.push(...(await heldUp(run)))
  } catch (cause) {
    const state = [...record.counts].map(([what, count]) => `${what} ${count}`).join(', ')
    throw new Error(`FAULT_SEED=${seed}: ${cause}\n${state}\n${run.bus.output().slice(-2000)}`, { cause })
  } finally {
    await fixture.clear()
  }
  return { broken, counts: record.counts, run }
}

/** Injects the fault at random times and lets everything heal: once, or for the given time. */
async function injectAll(
  fault: Fault,
  fixture: Fixture,
  { load, bystander, seconds }: { load: Load; bystander: Bystander | undefined; seconds: number | undefined },
): Promise<string[]> {
  const { run } = fixture
  const broken: string[] = []
  const end = performance.now() + (seconds ?? 0) * 1000
  const pings: number[] = []
  do {
    await run.acknowledged(100 + run.random.below(400))
    await bystander?.takeMs(0)
    await fixture.injecting(() => fault.inject(run))
    const late = await heal(run, load)
    const roundTripsMs = (await bystander?.takeMs(LEAST_PINGS)) ?? []
    if (seconds === undefined) continue
    broken.push(...late)
    for (const ms of roundTripsMs) pings.push(ms)
  } while (performance.now() < end)
  return [...broken, ...slowPings(pings)]
}

/** Waits until publishes succeed again, then until all subscribers have caught up; returns the violations of rule 8. */
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

/** Waits until every subscriber has the messages published now. */
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

/** Rules 1 to 7, and whether the run tested anything. */
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
  // A killed bus loses its outage queue; no other may.
  const forgotten = (run.isUnbroken && !mayBreak ? [...new Set(provisional)] : [])
    .filter((id) => !inHistory.has(id))
    .map((id) => `${id} was delivered as provisional but is not in the history`)
  return [
    ...violations.map((violation) => violationsText([violation])),
    ...(mayBreak ? [] : record.gaps.map((gap) => `nothing was lost, but a gap was reported to ${gap}`)),
    ...mustSee.filter((what) => !record.counts.has(what)).map((what) => `nothing was tested: there was no ${what}`),
    ...mustNotSee
      .filter((what) => record.counts.has(what))
      .map((what) => `there was ${record.counts.get(what)} ${what}`),
    ...forgotten,
    ...record.surprises,
  ]
}

/** Rule 9: a run releases its resources. */
async function bounds({ bus }: Running, before: Use, redis: TestRedis | undefined): Promise<string[]> {
  let left: string[] = []
  await until('resources', async () => {
    left = notGivenBack(before, await measure(bus, redis))
    return left.length === 0
  }).catch(() => {})
  return left.map((text) => `rule 9 (bounds): ${text}`)
}

/** Rule 9: the event loop was never blocked. */
async function heldUp({ bus }: Running): Promise<string[]> {
  const lag = await lagOver250Ms(bus)
  if (lag.late <= allowed(lag.of)) return []
  return [`rule 9 (bounds): the event loop was blocked for more than 250 ms in ${lag.late} of ${lag.of} samples`]
}

/**
 * The number of samples that may exceed a limit for the 99th percentile; at least one, because the machine has other
 * work.
 */
const allowed = (samples: number): number => Math.max(1, samples / 100)

/** Rule 10: a client that the fault does not affect has fast replies. */
function slowPings(pingsMs: number[]): string[] {
  const slow = pingsMs.filter((ms) => ms > ISOLATED_MS)
  if (slow.length <= allowed(pingsMs.length)) return []
  return [
    `rule 10 (isolation): ${slow.length} of ${pingsMs.length} commands took ${slow.map(Math.round).join(', ')} ms`,
  ]
}

/**
 * A log with delayed replies. It stores what the memory driver stores, but a draft takes two steps to its outcome and a
 * request two to its reply: it reaches the store, and the store's reply arrives. No step is taken before the test takes
 * it, so any event can occur between two steps at the point that the test chooses.
 */
import { CodedError, type ErrorCode, type Position } from '@arqonbus/protocol'
import {
  type AppendOutcome,
  createMemoryLog,
  type Draft,
  type Entry,
  type Located,
  type Log,
  type LogDriver,
  type LogListener,
  type MemoryLogOptions,
  type Page,
  type ReadQuery,
  type StartOptions,
} from '@arqonbus/server'
import type { Random } from './random.ts'

/** The numbers of drafts, requests and replies that wait for their next step. */
export type SlowLogWaiting = {
  /** Drafts and requests on their way to the store. */
  readonly arrivals: number
  /** Outcomes of drafts on their way to the bus. */
  readonly outcomes: number
  /** Replies to requests on their way to the bus. */
  readonly answers: number
}

/** How an append fails: it never reached the store, or it did and its outcome was lost. */
export type Failure = 'refused' | 'unknown, not stored' | 'unknown, stored'

/** The steps of a slow log, which the test takes. */
export type SlowLog = {
  /** Creates the driver, once. */
  open<Subject, D extends Draft>(options: MemoryLogOptions): LogDriver<Subject, D>
  /** The driver in the form of `startBus({}, { log })`. */
  readonly forBus: NonNullable<StartOptions['log']>
  readonly waiting: SlowLogWaiting
  /** Waits until the waiting numbers fit. */
  until(fits: (waiting: SlowLogWaiting) => boolean): Promise<void>
  /** Lets `count` drafts and requests reach the store, in the order sent; default all. */
  store(count?: number): void
  /** Delivers `count` outcomes, in order; default all. */
  tell(count?: number): void
  /** Delivers `count` replies, in order; default all. */
  answer(count?: number): void
  /** Delivers the latest reply ahead of earlier ones: requests may overtake one another. */
  answerLast(): void
  /** Takes a random step of any kind; false if there is none. The order within a log is kept. */
  step(random: Random): boolean
  /** Takes all steps, and those that they cause, until nothing waits. */
  settle(): Promise<void>
  /** Takes every later step automatically, one per turn of the loop. */
  flow(): void
  /** Stops all steps. */
  stop(): void
  /** Makes the next append fail. */
  failNext(how: Failure): void
  /** While true, every request fails with `storage_unavailable`. */
  isDeaf: boolean
}

type Outcome = { readonly log: object; readonly tell: () => void }

/**
 * Creates a slow log. `recent` is the number of messages that each log has in memory on the node; older ones have to be
 * read.
 */
export function createSlowLog({ recent }: { readonly recent: number }): SlowLog {
  const arrivals: (() => void)[] = []
  const outcomes: Outcome[] = []
  const answers: (() => void)[] = []
  const failures: Failure[] = []
  let watchers: { fits: (waiting: SlowLogWaiting) => boolean; resolve: () => void }[] = []
  let isFlowing = false
  let isTurnSet = false

  const waiting: SlowLogWaiting = {
    get arrivals() {
      return arrivals.length
    },
    get outcomes() {
      return outcomes.length
    },
    get answers() {
      return answers.length
    },
  }
  const isIdle = () => arrivals.length + outcomes.length + answers.length === 0
  const changed = () => {
    const met = watchers.filter(({ fits }) => fits(waiting))
    watchers = watchers.filter((one) => !met.includes(one))
    for (const one of met) one.resolve()
    if (!isFlowing || isTurnSet || isIdle()) return
    isTurnSet = true
    setImmediate(() => {
      isTurnSet = false
      takeAll()
      changed()
    })
  }
  const take = <T>(queue: T[], count: number, act: (item: T) => void) => {
    for (const item of queue.splice(0, count)) act(item)
  }
  const takeAll = () => {
    take(arrivals, arrivals.length, (reach) => reach())
    take(outcomes, outcomes.length, ({ tell }) => tell())
    take(answers, answers.length, (give) => give())
  }
  const wires: Wires = {
    recent,
    send(reach) {
      arrivals.push(reach)
      changed()
    },
    outcome(log, tell) {
      outcomes.push({ log, tell })
      changed()
    },
    answered(give) {
      answers.push(give)
      changed()
    },
    failure: () => failures.shift(),
    isDeaf: () => self.isDeaf,
  }

  const self: SlowLog = {
    open: (options) => openDriver(options, wires),
    forBus: ({ clock, metrics, config }) =>
      self.open({
        clock,
        maxBytes: config.historyBytes,
        inboxBytes: config.inboxBytes,
        dedupWindowMs: config.dedupWindowMs,
        dedupBytes: config.dedupBytes,
        maxClosed: config.maxChannels,
        expired: (reason, count) => metrics.expire(reason, count),
      }),
    waiting,
    until: (fits) => (fits(waiting) ? Promise.resolve() : new Promise((resolve) => watchers.push({ fits, resolve }))),
    store: (count = arrivals.length) => take(arrivals, count, (reach) => reach()),
    tell: (count = outcomes.length) => take(outcomes, count, ({ tell }) => tell()),
    answer: (count = answers.length) => take(answers, count, (give) => give()),
    answerLast: () => answers.pop()?.(),
    step(random) {
      if (isIdle()) return false
      const kinds = [arrivals, outcomes, answers].filter((queue) => queue.length > 0)
      const kind = random.pick(kinds)
      if (kind === arrivals) self.store(1)
      else if (kind === outcomes) {
        const { log } = random.pick(outcomes)
        const first = outcomes.findIndex((one) => one.log === log)
        outcomes.splice(first, 1)[0]!.tell()
      } else answers.splice(random.below(answers.length), 1)[0]!()
      return true
    },
    async settle() {
      while (!isIdle()) {
        takeAll()
        await turn()
      }
    },
    flow() {
      isFlowing = true
      changed()
    },
    stop() {
      isFlowing = false
    },
    failNext: (how) => void failures.push(how),
    isDeaf: false,
  }
  return self
}

/** A turn of the loop, after which settled promises have run their reactions. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The queues between a node and its store. */
type Wires = {
  readonly recent: number
  send(reach: () => void): void
  outcome(log: object, tell: () => void): void
  answered(give: () => void): void
  failure(): Failure | undefined
  isDeaf(): boolean
}

/** A driver at the node's end of the queues, with a memory driver at the store's end. */
function openDriver<Subject, D extends Draft>(options: MemoryLogOptions, wires: Wires): LogDriver<Subject, D> {
  type Near = NearLog<Subject, D>
  const store = createMemoryLog<Near, D>(options)
  /** Drafts whose outcome will be lost. */
  const unheard = new Set<D>()
  const refused = (code: ErrorCode): AppendOutcome => ({ kind: 'refused', error: new CodedError(code) })
  const unknown = (): AppendOutcome => ({ kind: 'unknown', error: new CodedError('outcome_unknown') })
  let listener: LogListener<Subject, D> | undefined

  /** The entry whose draft is settled next. */
  let arrived: Entry | undefined
  store.listen({
    delivered(_log, entry) {
      arrived = entry
    },
    settled(log, draft, outcome) {
      const isUnheard = unheard.delete(draft)
      if (isUnheard) wires.outcome(log, () => listener!.settled(log.subject, draft, unknown()))
      if (outcome.kind !== 'appended') {
        if (!isUnheard) wires.outcome(log, () => listener!.settled(log.subject, draft, outcome))
        return
      }
      const entry = arrived!
      const draftToSettle = isUnheard ? undefined : draft
      wires.outcome(log, () => {
        if (!log.isClosed) {
          log.announced(entry)
          listener!.delivered(log.subject, entry, draftToSettle)
        }
        if (draftToSettle !== undefined)
          listener!.settled(log.subject, draftToSettle, log.isClosed ? refused('channel_not_found') : outcome)
      })
    },
    redacted(log, _far, position, tombstone) {
      wires.outcome(log, () => {
        if (tombstone !== undefined) log.redacted(tombstone)
        listener!.redacted(log.subject, log, position, tombstone)
      })
    },
    gap() {
      throw new Error('a log in memory has no gaps')
    },
  })

  return {
    name: store.name,
    identity: store.identity,
    secret: store.secret,
    isImmediate: false,
    isAway: false,
    isCongested: false,
    durability: store.durability,
    durabilityOfAccepted: store.durabilityOfAccepted,
    replicas: store.replicas,
    listen: (wanted) => {
      listener = wanted
    },
    open(key, subject, logOptions) {
      const log: Near = createNearLog(
        subject,
        wires,
        (near) => store.open(key, near, logOptions),
        (draft) => {
          const failure = wires.failure()
          if (failure === undefined || failure === 'unknown, stored') {
            if (failure !== undefined) unheard.add(draft)
            return true
          }
          const outcome = failure === 'refused' ? refused('storage_unavailable') : unknown()
          wires.outcome(log, () => listener!.settled(subject, draft, outcome))
          return false
        },
      )
      return log
    },
    closed: store.closed,
    sweep: store.sweep,
    usage: store.usage,
    close: store.close,
  }
}

type NearLog<Subject, D extends Draft> = Log<D> & {
  readonly subject: Subject
  announced(entry: Entry): void
  redacted(tombstone: Entry): void
}

/**
 * A log as the node sees it: announced messages, and requests for the rest. `isSent` returns whether a draft is sent.
 */
function createNearLog<Subject, D extends Draft>(
  subject: Subject,
  wires: Wires,
  openFar: (near: NearLog<Subject, D>) => Log<D>,
  isSent: (draft: D) => boolean,
): NearLog<Subject, D> {
  let given: Position
  let onTheWay = 0
  let isClosed = false
  const window: Entry[] = []
  const ask = <T>(question: () => T | Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      wires.send(() => {
        if (wires.isDeaf()) return wires.answered(() => reject(new CodedError('storage_unavailable')))
        const answer = question()
        wires.answered(() => resolve(answer))
      })
    })
  const near: NearLog<Subject, D> = {
    subject,
    get origin() {
      return far.origin
    },
    get attachedAt() {
      return far.attachedAt
    },
    ready: () => far.ready(),
    get lastDelivered() {
      return given
    },
    announced(entry) {
      given = { ms: entry.ms, n: entry.n }
      window.push(entry)
      if (window.length > wires.recent) window.shift()
    },
    redacted(tombstone) {
      const at = window.findIndex(({ n, ms }) => n === tombstone.n && ms === tombstone.ms)
      if (at >= 0) window[at] = tombstone
    },
    append(draft) {
      if (!isSent(draft)) return
      onTheWay++
      wires.send(() => {
        onTheWay--
        far.append(draft)
      })
    },
    bounds: () => ask(() => far.bounds()),
    read: (query: ReadQuery): Promise<Page> => ask(() => far.read(query)),
    recent(n, limit, maxBytes) {
      if (n >= given.n) return []
      const start = n + 1 - (window[0]?.n ?? Number.POSITIVE_INFINITY)
      if (start < 0) return undefined
      let bytes = 0
      let end = start
      while (end < window.length && end - start < limit) {
        bytes += window[end]!.text.length
        if (bytes > maxBytes && end > start) break
        end++
      }
      return window.slice(start, end)
    },
    locate: (since, sinceId): Promise<Located> => ask(() => far.locate(since, sinceId)),
    redact: (position): Promise<boolean> => ask(() => far.redact(position)),
    isEmpty: () => onTheWay === 0 && far.isEmpty(),
    emptyInMs: () => far.emptyInMs(),
    get isClosed() {
      return isClosed
    },
    readAtHand: (query) => far.readAtHand(query),
    close() {
      isClosed = true
      far.close()
    },
    delete() {
      isClosed = true
      far.delete()
    },
  }
  const far = openFar(near)
  given = far.attachedAt
  return near
}

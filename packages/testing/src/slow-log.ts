/**
 * A log that answers later. It keeps what the memory driver keeps, but a draft takes two steps to its outcome and a question two to its answer: it
 * reaches the store, and what the store said comes back. Nothing takes a step before a test says so; so whatever can happen between two steps happens
 * where the test wants it.
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

/** What waits for its next step. */
export type SlowLogWaiting = {
  /** Drafts and questions on their way to the store. */
  readonly arrivals: number
  /** What became of drafts, on its way to the bus. */
  readonly outcomes: number
  /** Answers to questions, on their way to the bus. */
  readonly answers: number
}

/** How an append fails: it never reached the store, or it did and nobody was told. */
export type Failure = 'refused' | 'unknown, not stored' | 'unknown, stored'

/** The hand on the steps. */
export type SlowLog = {
  /** The driver. Made once. */
  open<Subject, D extends Draft>(options: MemoryLogOptions): LogDriver<Subject, D>
  /** The driver, as `startBus({}, { log })` asks for it. */
  readonly forBus: NonNullable<StartOptions['log']>
  readonly waiting: SlowLogWaiting
  /** Waits until so much waits. */
  until(fits: (waiting: SlowLogWaiting) => boolean): Promise<void>
  /** So many reach the store, in the order in which they were sent; all unless told. */
  store(count?: number): void
  /** So many outcomes are told, in order; all unless told. */
  tell(count?: number): void
  /** So many answers are given, in order; all unless told. */
  answer(count?: number): void
  /** The latest answer is given, ahead of those before it: questions may overtake one another. */
  answerLast(): void
  /** One step of any kind, by chance; false where there is none to take. The order within one log stays. */
  step(random: Random): boolean
  /** Every step that can be taken, until nothing waits: what one step sets off takes its own. */
  settle(): Promise<void>
  /** From now on everything takes its steps by itself, one a turn of the loop. */
  flow(): void
  /** From now on nothing does any more. */
  stop(): void
  /** The next append fails. */
  failNext(how: Failure): void
  /** While true every question fails: `storage_unavailable`. */
  isDeaf: boolean
}

type Outcome = { readonly log: object; readonly tell: () => void }

/** Makes one. `recent` is how many of its last messages each log has at hand on the node: what is older has to be read. */
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

/** A turn of the loop: everything that was promised has happened. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The ways between a node and its store. */
type Wires = {
  readonly recent: number
  send(reach: () => void): void
  outcome(log: object, tell: () => void): void
  answered(give: () => void): void
  failure(): Failure | undefined
  isDeaf(): boolean
}

/** A driver at the near end of the wires, with a memory driver at the far end. */
function openDriver<Subject, D extends Draft>(options: MemoryLogOptions, wires: Wires): LogDriver<Subject, D> {
  type Near = NearLog<Subject, D>
  const store = createMemoryLog<Near, D>(options)
  /** Drafts whose outcome nobody will hear. */
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
      const told = isUnheard ? undefined : draft
      wires.outcome(log, () => {
        if (!log.isClosed) {
          log.announced(entry)
          listener!.delivered(log.subject, entry, told)
        }
        if (told !== undefined)
          listener!.settled(log.subject, told, log.isClosed ? refused('channel_not_found') : outcome)
      })
    },
    gap() {
      throw new Error('a log in memory has no gaps')
    },
  })

  return {
    name: store.name,
    identity: store.identity,
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
}

/** One log as a node sees it: what was announced, and questions for the rest. `isSent` says whether a draft goes on its way. */
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

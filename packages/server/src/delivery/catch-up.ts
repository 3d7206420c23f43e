/**
 * From history to live without a hole.
 *
 * A connection that is behind is a cursor in each log of a feed. It is brought on while its send buffer is short: from what the node has at hand, or
 * by a page of the log, without what this node has not announced yet. When nothing is missing it is subscribed in the same tick: it is live.
 * A client whose next message has left the log is closed with 4429, and recovers with its last position. So is a connection that takes nothing for as long as a silent one may live.
 *
 * A connection that takes nothing costs next to nothing: it is served again when its buffer drains.
 */
import { type CloseName, CodedError, type Position } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import { type Bounds, type Entry, type Log, type LogGap, type Page, UNKNOWN } from '../log/contract.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Cursors, Feed } from '../state/model.ts'
import type { SendBuffers } from './send-buffers.ts'
import { createStandstill } from './standstill.ts'
import type { Tails } from './tails.ts'

/** What catching up needs. */
export type CatchUpDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Pick<Metrics, 'delivered' | 'replayed' | 'slowClosed'>
  readonly logger: Logger
  /** The less memory there is for all send buffers, the less a connection is given at a time. */
  readonly buffers: Pick<SendBuffers, 'limit'>
  /** What logs that keep little no longer have. */
  readonly tails: Pick<Tails, 'after' | 'sweep'>
  /** A connection that takes nothing of what waits for it is closed after this time. */
  readonly stuckMs: number
  /** Whether the logs answer at once. */
  readonly isImmediate: boolean
  readonly resumeLive: (client: Client, feed: Feed) => void
  /** The notice of a gap that a subscription finds in a log before a message. */
  readonly gapBefore: (feed: Feed, entry: Entry, gap: LogGap) => string
  readonly close: (client: Client, name: CloseName) => void
  /** Hears of clients that are closed because what they lack is gone. */
  readonly slow: (client: Client) => void
}

/** Catching up. */
export type CatchUp = {
  /** The connection is behind in something. */
  add(client: Client): void
  /** There is room in its buffer. */
  drained(client: Client): void
  /** Looks at all that are behind. Called every 50 ms while there are any: what a drain did not tell is not left lying. */
  tick(): void
  /** A log has a gap: clients that are behind in it are closed, and recover from their positions. */
  broke(log: Log): void
  /** How many are behind. */
  size(): number
}

/** A connection is given more only while fewer bytes than this wait for it. */
const LOW_WATER_BYTES = 64 * 1024
const PAGE_ENTRIES = 256
const PAGE_BYTES = 256 * 1024
/** Reads of logs under way at once on this node. */
const MOST_READS = 64
/** The tick looks at so many logs to see whether what a connection lacks is still there; those left are looked at by the next ticks. */
const MOST_LOOKED_AT = 5000
/** Everybody together is given so much in one turn of the loop: the kernel may take megabytes at once, and all others would wait for that. */
const TURN_CHARS = 256 * 1024

/** Makes it. */
export function createCatchUp(deps: CatchUpDeps): CatchUp {
  const behind = new Set<Client>()
  /** Those that wait for a page. */
  const reading = new Set<Client>()
  const standstill = createStandstill(deps.clock, deps.stuckMs)
  /** Goes round all that are behind, a part in each tick. */
  let walk = behind.values()
  let givenInTurn = 0
  let isTurnAsked = false

  /** Serves all until the turn is over. Who was served goes to the end, so that everybody has a turn. */
  const goRound = (): void => {
    givenInTurn = 0
    for (const client of [...behind]) {
      if (!client.isClosing && isBusy(client)) continue
      if (givenInTurn >= TURN_CHARS) return askTurn()
      behind.delete(client)
      behind.add(client)
      pump(client)
    }
  }

  const askTurn = (): void => {
    if (isTurnAsked) return
    isTurnAsked = true
    setImmediate(() => {
      isTurnAsked = false
      goRound()
    })
  }

  /** Gives what fits. */
  const pump = (client: Client): void => {
    if (client.isClosing) {
      behind.delete(client)
      return
    }
    if (reading.has(client)) return
    for (const [feed, state] of client.listening) {
      if (state === 'live') continue
      if (bringOn(client, feed, state) === 'waits') return
    }
    behind.delete(client)
  }

  /** Brings a connection on in one feed: until it is live there, or has to wait. */
  const bringOn = (client: Client, feed: Feed, cursors: Cursors): 'live' | 'waits' => {
    for (;;) {
      let isComplete = true
      let isGiven = false
      if (mustWait(client)) return 'waits'
      for (const log of feed.logs()) {
        const cursor = numberIn(cursors, log)
        const head = log.lastDelivered.n
        if (cursor === head) continue
        isComplete = false
        // It has more than this node was told of yet, from another node or by `history`: that is not given to it again.
        if (cursor > head) continue
        if (mustWait(client)) return 'waits'
        const most = deps.buffers.limit(PAGE_BYTES)
        const entries = log.recent(cursor, PAGE_ENTRIES, most) ?? deps.tails.after(log, cursor, most)
        if (entries !== undefined) give({ client, feed, log, cursors }, entries)
        else if (!readPage(client, feed, log, cursors)) return 'waits'
        isGiven ||= numberIn(cursors, log) !== cursor
      }
      if (isComplete) {
        deps.resumeLive(client, feed)
        return 'live'
      }
      if (!isGiven) return 'waits'
    }
  }

  /** True where a client cannot be given more now: a drain of its buffer, the next turn or the tick brings it on. */
  const mustWait = (client: Client): boolean => {
    if (isBusy(client)) return true
    if (givenInTurn < TURN_CHARS) return false
    askTurn()
    return true
  }

  const isBusy = (client: Client): boolean => client.transport.bufferedBytes() >= deps.buffers.limit(LOW_WATER_BYTES)

  /** Reads a page; true where it was there at once, and the client may have more. */
  const readPage = (client: Client, feed: Feed, log: Log, cursors: Cursors): boolean => {
    if (reading.size >= MOST_READS) return false
    const cursor = numberIn(cursors, log)
    const page = log.read({
      after: cursorIn(cursors, log),
      limit: PAGE_ENTRIES,
      maxBytes: deps.buffers.limit(PAGE_BYTES),
    })
    const to = { client, feed, log, cursors }
    if (!(page instanceof Promise)) return takePage(to, page)
    reading.add(client)
    page
      .then((read) => {
        reading.delete(client)
        // Meanwhile it may have left, or have asked to go on from elsewhere, or the log have ended: then this page is not for it.
        const isStale = client.listening.get(feed) !== cursors || numberIn(cursors, log) !== cursor || log.isClosed
        if (isStale || takePage(to, read)) pump(client)
      })
      .catch((problem: unknown) => {
        reading.delete(client)
        // It stays behind, and the tick tries again. A log that is away says so in lines of its own.
        if (problem instanceof CodedError) return
        const stack = problem instanceof Error ? problem.stack : String(problem)
        deps.logger.error({ event: 'catch_up_failed', client_id: client.id, stack })
      })
    return false
  }

  /** Gives a page; false where nothing of it could be given. */
  const takePage = (to: Recipient, { entries, first, last }: Page): boolean => {
    const cursor = numberIn(to.cursors, to.log)
    const next = entries[0]?.n ?? last.n + 1
    // Where the log still has what the client has, nothing was trimmed: what does not follow it there is a gap in the log itself.
    if (next === cursor + 1 || (entries.length > 0 && first.n <= cursor)) {
      give(to, entries)
      return entries.length > 0
    }
    closeSlow(to.client, cursor, next)
    return false
  }

  /** What it lacks is no longer in the log, or it takes nothing of what it has. */
  const closeSlow = (client: Client, after?: number, first?: number): void => {
    deps.metrics.slowClosed++
    deps.logger.warn({ event: 'slow_consumer', client_id: client.id, code: 4429, after, first })
    deps.slow(client)
    deps.close(client, 'slow_consumer')
  }

  /**
   * One that takes nothing is not read for. It is closed when it has taken nothing for too long and, where the log tells at once, as soon as what it lacks
   * is gone. Returns how many logs were looked at.
   */
  const closeFallen = (client: Client): number => {
    let looked = 1
    if (!isBusy(client)) return looked
    if (standstill.isTooLong(client)) {
      closeSlow(client)
      return looked
    }
    if (!deps.isImmediate) return looked
    for (const [feed, cursors] of client.listening) {
      if (cursors === 'live') continue
      for (const log of feed.logs()) {
        looked++
        const cursor = numberIn(cursors, log)
        if (cursor >= log.lastDelivered.n || log.recent(cursor, 1, 1) !== undefined) continue
        if (deps.tails.after(log, cursor, 1) !== undefined) continue
        const { first, last } = log.bounds() as Bounds
        closeSlow(client, cursor, log.isEmpty() ? last.n + 1 : first.n)
        return looked
      }
    }
    return looked
  }

  /** A part of the way round all that are behind. */
  const lookForFallen = (): void => {
    const most = behind.size
    for (let looked = 0, seen = 0; looked < MOST_LOOKED_AT && seen < most; seen++) {
      const { value: client, done } = walk.next()
      if (done) walk = behind.values()
      else if (!client.isClosing) looked += closeFallen(client)
    }
  }

  const give = ({ client, feed, log, cursors }: Recipient, entries: readonly Entry[]): void => {
    const head = log.lastDelivered.n
    const cursor = cursorIn(cursors, log)
    let last = cursor
    for (const entry of entries) {
      // What this node has not announced yet comes with its announcement.
      if (entry.n > head) break
      if (entry.n !== last.n + 1) client.transport.send(deps.gapBefore(feed, entry, gapBetween(last, entry)))
      client.transport.send(entry.text)
      givenInTurn += entry.text.length
      deps.metrics.delivered++
      deps.metrics.replayed++
      last = entry
    }
    if (last !== cursor) cursors.set(log, { ms: last.ms, n: last.n })
  }

  return {
    add: (client) => {
      behind.add(client)
    },
    drained(client) {
      if (behind.has(client)) pump(client)
    },
    tick() {
      deps.tails.sweep()
      lookForFallen()
      goRound()
    },
    broke(log) {
      for (const client of behind) {
        for (const [feed, cursors] of client.listening) {
          if (cursors === 'live' || ![...feed.logs()].includes(log)) continue
          closeSlow(client, numberIn(cursors, log), log.lastDelivered.n)
          break
        }
      }
    },
    size: () => behind.size,
  }
}

/** Where what is missed goes: a client by one of its feeds, and how far it is in a log of that. */
type Recipient = {
  readonly client: Client
  readonly feed: Feed
  readonly log: Log
  readonly cursors: Cursors
}

/** A number of the log is missing, or is there twice. */
const gapBetween = (after: Position, { ms, n }: Entry): LogGap => ({ reason: 'lost', after, next: { ms, n: n - 1 } })

/**
 * The position of the last message that was given. In a log that is not among the cursors, or of which nothing was known when they were made, it is where
 * the log stood when this node came to know it.
 */
export function cursorIn(cursors: Cursors, log: Log): Position {
  const cursor = cursors.get(log)
  return cursor === undefined || cursor === UNKNOWN ? log.attachedAt : cursor
}

const numberIn = (cursors: Cursors, log: Log): number => cursorIn(cursors, log).n

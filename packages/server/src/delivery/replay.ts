/**
 * Sends a subscription that is catching up what it lacks: what the node has at hand, or a page of the log, while the
 * send buffer of its connection is short.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import { stackText } from '../kit/text.ts'
import type { Entry, Log, LogGap, Page } from '../log/contract.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Cursors, Feed, Subscription } from '../state/model.ts'
import { cursorIn } from '../state/subscription.ts'
import type { Closing } from './closing.ts'
import type { LiveSubscriptions } from './live.ts'
import type { Preludes } from './sampling/preludes.ts'
import { LOW_WATER_BYTES, type SendBuffers } from './send-buffers.ts'
import type { Tails } from './tails.ts'

/** What sending needs. */
export type ReplayDeps = {
  readonly metrics: Pick<Metrics, 'delivered' | 'replayed'>
  readonly logger: Logger
  /** The less memory there is for all send buffers, the less a connection is sent at a time. */
  readonly buffers: Pick<SendBuffers, 'limit'>
  /** What logs that keep little no longer have. */
  readonly tails: Pick<Tails, 'after'>
  readonly live: Pick<LiveSubscriptions, 'begin'>
  readonly closing: Pick<Closing, 'closeSlow'>
  /** What subscriptions get ahead of everything else. */
  readonly preludes: Pick<Preludes, 'advance'>
  /** The notice of a gap that a subscription finds in a log before a message. */
  readonly gapBefore: (feed: Feed, entry: Entry, gap: LogGap) => string
}

/** Says when a client may have more. */
type ReplayPace = {
  /** Enough was sent in this turn of the loop. */
  turnIsOver(): void
  /** A page has come that the client waited for. */
  goOn(client: Client): void
}

const PAGE_ENTRIES = 256
const PAGE_BYTES = 256 * 1024
/** Reads of logs under way at once on this node. */
const MOST_READS = 64
/**
 * All clients together are sent so much in one turn of the loop: the kernel may take megabytes at once, and all others
 * would wait for that.
 */
const TURN_CHARS = 256 * 1024

/** What a subscription lacks of one log. */
type Lack = { readonly subscription: Subscription; readonly cursors: Cursors; readonly log: Log }

/** Sends subscriptions what they lack. */
export class Replay {
  readonly #deps: ReplayDeps
  readonly #pace: ReplayPace
  /** Clients that wait for a page. */
  readonly #reading = new Set<Client>()
  #sentInTurn = 0

  constructor(deps: ReplayDeps, pace: ReplayPace) {
    this.#deps = deps
    this.#pace = pace
  }

  /** True while a page is read for a client. */
  isReading(client: Client): boolean {
    return this.#reading.has(client)
  }

  /** True while too much waits for a client. */
  isBusy({ transport }: Client): boolean {
    return transport.bufferedBytes() >= this.#deps.buffers.limit(LOW_WATER_BYTES)
  }

  /** True where enough was sent in this turn. */
  get isTurnOver(): boolean {
    return this.#sentInTurn >= TURN_CHARS
  }

  beginTurn(): void {
    this.#sentInTurn = 0
  }

  /** Sends a subscription what it lacks: until it is live, or has to wait. */
  bringOn(subscription: Subscription, cursors: Cursors): 'live' | 'waits' {
    const { client, feed } = subscription
    const { buffers, tails, live, preludes } = this.#deps
    if (!preludes.advance(subscription)) return 'waits'
    for (;;) {
      let isComplete = true
      let isSent = false
      if (this.#mustWait(client)) return 'waits'
      for (const log of feed.logs()) {
        const cursor = cursorIn(cursors, log).n
        const head = log.lastDelivered.n
        if (cursor === head) continue
        isComplete = false
        // It has more than was announced on this node, from another node or by `history`: that is not sent to it again.
        if (cursor > head) continue
        if (this.#mustWait(client)) return 'waits'
        const lack = { subscription, cursors, log }
        const most = buffers.limit(PAGE_BYTES)
        const entries = log.recent(cursor, PAGE_ENTRIES, most) ?? tails.after(log, cursor, most)
        if (entries !== undefined) this.#send(lack, entries)
        else if (!this.#readPage(lack)) return 'waits'
        isSent ||= cursorIn(cursors, log).n !== cursor
      }
      if (isComplete) {
        live.begin(subscription)
        return 'live'
      }
      if (!isSent) return 'waits'
    }
  }

  /** True where a client cannot be sent more now: a drain of its buffer, the next turn or the tick continues. */
  #mustWait(client: Client): boolean {
    if (this.isBusy(client)) return true
    if (!this.isTurnOver) return false
    this.#pace.turnIsOver()
    return true
  }

  /** Reads a page; true where it was there at once, and the client may have more. */
  #readPage(lack: Lack): boolean {
    if (this.#reading.size >= MOST_READS) return false
    const { subscription, cursors, log } = lack
    const { client } = subscription
    const after = cursorIn(cursors, log)
    const page = log.read({ after, limit: PAGE_ENTRIES, maxBytes: this.#deps.buffers.limit(PAGE_BYTES) })
    if (!(page instanceof Promise)) return this.#takePage(lack, page)
    this.#reading.add(client)
    page
      .then((read) => {
        this.#reading.delete(client)
        // Meanwhile it may have left or been moved to another position, or the log may have ended: then the page is
        // dropped.
        const isStale = subscription.state !== cursors || cursorIn(cursors, log).n !== after.n || log.isClosed
        if (isStale || this.#takePage(lack, read)) this.#pace.goOn(client)
      })
      .catch((problem: unknown) => {
        this.#reading.delete(client)
        // It goes on catching up, and the tick tries again. A log that is away says so in lines of its own.
        if (problem instanceof CodedError) return
        this.#deps.logger.error({
          event: 'catch_up_failed',
          client_id: client.id,
          stack: stackText(problem),
          address: client.address,
        })
      })
    return false
  }

  /** Sends a page; false where nothing of it could be sent. */
  #takePage(lack: Lack, { entries, first, last }: Page): boolean {
    const cursor = cursorIn(lack.cursors, lack.log).n
    const next = entries[0]?.n ?? last.n + 1
    // Where the log still has what the client has, nothing was trimmed: what does not follow it there is a gap in the
    // log itself.
    if (next === cursor + 1 || (entries.length > 0 && first.n <= cursor)) {
      this.#send(lack, entries)
      return entries.length > 0
    }
    this.#deps.closing.closeSlow(lack.subscription.client, { after: cursor, first: next })
    return false
  }

  #send({ subscription: { client, feed }, cursors, log }: Lack, entries: readonly Entry[]): void {
    const { metrics, gapBefore } = this.#deps
    const head = log.lastDelivered.n
    const cursor = cursorIn(cursors, log)
    let last = cursor
    for (const entry of entries) {
      // What is not announced on this node yet comes with its announcement.
      if (entry.n > head) break
      if (entry.n !== last.n + 1) client.transport.send(gapBefore(feed, entry, gapBetween(last, entry)))
      client.transport.send(entry.text)
      this.#sentInTurn += entry.text.length
      metrics.delivered++
      metrics.replayed++
      last = entry
    }
    if (last !== cursor) cursors.set(log, { ms: last.ms, n: last.n })
  }
}

/** A number of the log is missing, or is there twice. */
const gapBetween = (after: Position, { ms, n }: Entry): LogGap => ({ reason: 'lost', after, next: { ms, n: n - 1 } })

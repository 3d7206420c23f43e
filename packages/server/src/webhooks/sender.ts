/**
 * Delivers the events of one webhook: one request at a time, so that their order is kept, and each until the receiver
 * has accepted it (docs/guide/webhooks.md#delivery).
 */
import { isoTime } from '../kit/clock.ts'
import { stackText } from '../kit/text.ts'
import type { After } from '../kit/timer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type EventQueue, type QueuedEvent, QueueUnreachable } from './event-queue.ts'
import type { Outgoing, Posted } from './post-batch.ts'
import { signedHeaders } from './signature.ts'

/** What a sender needs. */
export type SenderDeps = {
  /** How log lines name the webhook. */
  readonly label: { readonly webhook: string; readonly receiver: string }
  readonly queue: EventQueue
  readonly post: (outgoing: Outgoing) => Promise<Posted>
  readonly metrics: Pick<Metrics, 'webhookDelivered' | 'webhookRequest' | 'webhookEventsDropped'>
  readonly logger: Logger
  readonly now: () => number
  readonly later: After
  /** From 0 to 1. */
  readonly random: () => number
  readonly userAgent: string
  /** The receiver wants no more events. */
  readonly gone: () => void
}

/** Where requests go, and what they are signed with. */
export type Target = { readonly url: string; readonly keys: readonly Uint8Array[] }

/** What one request carries, at most; one event goes however long it is. */
const MOST_EVENTS = 100
const MOST_BYTES = 256 * 1024

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 600_000

/**
 * An event that is refused on its own is given up after so many requests in a row that failed, some two minutes. A
 * request with several events is divided before: one event that the receiver cannot read takes no other with it.
 */
const MOST_REFUSALS = 10

/** A request that is being delivered: its text stays the same for all attempts. */
type Batch = { readonly id: string; readonly events: readonly QueuedEvent[]; readonly body: string }

/** The sender of one webhook. */
export class WebhookSender {
  readonly #deps: SenderDeps
  #target: Target
  #running: Promise<void> | undefined
  #state: 'on' | 'closing' | 'off' = 'on'
  /** True where something may have been added while the queue was being looked at. */
  #isWoken = false
  #failures = 0
  #most = MOST_EVENTS
  #batch: Batch | undefined
  #endPause: (() => void) | undefined
  readonly #abort = new AbortController()

  constructor(deps: SenderDeps, target: Target) {
    this.#deps = deps
    this.#target = target
  }

  /** True where the last request failed. */
  get isFailing(): boolean {
    return this.#failures > 0
  }

  /** Where requests go from now on. A pause ends: what was wrong may have been put right. */
  retarget(target: Target): void {
    this.#target = target
    this.#endPause?.()
  }

  /** There may be something to deliver. */
  wake(): void {
    this.#isWoken = true
    if (this.#running !== undefined || this.#state === 'off') return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#isWoken) this.wake()
    })
  }

  /** Ends at once, in the middle of a request. */
  stop(): void {
    this.#state = 'off'
    this.#isWoken = false
    this.#abort.abort()
    this.#endPause?.()
  }

  /** Delivers what waits, until a request fails, or for `withinMs` at most. */
  async close(withinMs: number): Promise<void> {
    if (this.#state === 'off') return
    this.#state = 'closing'
    const cancel = this.#deps.later(withinMs, () => this.stop())
    this.#endPause?.()
    this.wake()
    while (this.#running !== undefined) await this.#running
    cancel()
    this.stop()
  }

  async #run(): Promise<void> {
    // Not in the tick of the message that woke it; what comes in this one goes in one request.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#state !== 'off') {
      this.#isWoken = false
      let batch: Batch | undefined
      try {
        batch = await this.#next()
        if (batch === undefined) return
        const posted = await this.#send(batch)
        // Aborted: another request, or another process, delivers it.
        if (this.#isOff()) return
        await this.#after(batch, posted)
      } catch (problem) {
        // A queue that cannot be reached wakes this sender when it is back.
        if (!(problem instanceof QueueUnreachable))
          this.#deps.logger.error({ event: 'webhook_failed', ...this.#deps.label, error: stackText(problem) })
        return
      }
    }
  }

  /** Read through a function, because it changes while something is awaited. */
  #isOff(): boolean {
    return this.#state === 'off'
  }

  async #next(): Promise<Batch | undefined> {
    // What comes while a request is being sent again is not added to it.
    const most = Math.min(this.#most, this.#batch?.events.length ?? this.#most)
    const events = await this.#deps.queue.take({ events: most, bytes: MOST_BYTES })
    const [first] = events
    if (first === undefined) return undefined
    const id = `msg_${first.id.replace(/^evt_/, '')}_${events.length}`
    if (this.#batch?.id !== id) {
      const texts = events.map(({ text, dropped }) =>
        dropped === 0 ? text : `${text.slice(0, -1)},"dropped":${dropped}}`,
      )
      const timestamp = isoTime(this.#deps.now())
      this.#batch = { id, events, body: `{"type":"events","timestamp":"${timestamp}","data":{"events":[${texts}]}}` }
    }
    return this.#batch
  }

  async #send({ id, body }: Batch): Promise<Posted> {
    const { post, now, metrics, userAgent } = this.#deps
    const { url, keys } = this.#target
    const timestamp = Math.floor(now() / 1000)
    const posted = await post({
      url: new URL(url),
      headers: {
        'content-type': 'application/json',
        'accept-encoding': 'identity',
        'user-agent': userAgent,
        ...signedHeaders(keys, { id, timestamp, body }),
      },
      body,
      attempt: this.#failures,
      signal: this.#abort.signal,
    })
    if (!this.#isOff()) metrics.webhookRequest(posted.outcome)
    return posted
  }

  async #after({ events }: Batch, posted: Posted): Promise<void> {
    const { metrics, logger, label, gone } = this.#deps
    const last = events.at(-1)!
    if (posted.outcome === 'accepted') {
      await this.#release(last)
      metrics.webhookDelivered += events.length
      if (this.#failures > 0) logger.info({ event: 'webhook_recovered', ...label })
      this.#failures = 0
      this.#most = MOST_EVENTS
      return
    }
    if (posted.outcome === 'gone') {
      logger.error({ event: 'webhook_gone', ...label })
      this.stop()
      return gone()
    }
    const { outcome, reason, afterMs } = posted
    // One line when it begins to fail; how often it does the metrics say.
    if (this.#failures++ === 0) logger.warn({ event: 'webhook_failing', ...label, outcome, reason })
    if (outcome === 'refused' && events.length > 1) this.#most = Math.ceil(events.length / 2)
    else if (outcome === 'refused' && this.#failures >= MOST_REFUSALS) {
      await this.#release(last)
      metrics.webhookEventsDropped('refused', events.length)
      logger.error({ event: 'webhook_event_refused', ...label, reason, event_id: last.id })
    }
    if (this.#state === 'closing') return this.stop()
    await this.#pause(Math.min(Math.max(afterMs ?? 0, this.#backoffMs()), LAST_RETRY_MS))
  }

  async #release(last: QueuedEvent): Promise<void> {
    await this.#deps.queue.release(last)
    this.#batch = undefined
  }

  #backoffMs(): number {
    const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1))
    return most * (0.5 + this.#deps.random() / 2)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.later(ms, resolve)
      this.#endPause = () => {
        this.#endPause = undefined
        cancel()
        resolve()
      }
    })
  }
}

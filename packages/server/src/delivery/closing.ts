/** Ends connections, and counts what still waits for those that are not gone yet. */
import { type CloseName, closeCodes } from '@arqonbus/protocol'
import { after } from '../kit/timer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client } from '../state/model.ts'
import { allSubscriptions } from '../state/subscription.ts'
import type { LiveSubscriptions } from './live.ts'

/** What closing needs. */
export type ClosingDeps = {
  readonly live: LiveSubscriptions
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'closed' | 'slowClosed'>
  /** Called with each client that does not read fast enough: to stay live, or to stay connected. */
  readonly slow: (client: Client, what: 'behind' | 'closed') => void
}

/**
 * Why a slow consumer is closed, for the log: the bytes that wait for it, or between which numbers of a log it lacks
 * messages.
 */
type SlowDetails = { readonly queue_bytes?: number } | { readonly after?: number; readonly first?: number }

/** A connection is ended after this time: a close frame behind the backlog of a dead reader would never be sent. */
const TERMINATE_AFTER_MS = 5000

/** Ends connections. */
export class Closing {
  readonly #deps: ClosingDeps
  /** Closed, but not gone. */
  readonly #clients = new Set<Client>()

  constructor(deps: ClosingDeps) {
    this.#deps = deps
  }

  /** Closes a connection: the close frame goes behind what waits for it. */
  close(client: Client, name: CloseName, reason?: string): void {
    if (client.isClosing) return
    const { metrics, live } = this.#deps
    client.isClosing = true
    metrics.closed(name)
    for (const subscription of allSubscriptions(client)) live.stop(subscription)
    const { code, reason: usual } = closeCodes[name]
    client.transport.close(code, reason ?? usual)
    this.#clients.add(client)
    after(TERMINATE_AFTER_MS, () => {
      this.#clients.delete(client)
      client.transport.terminate()
    })
  }

  /** Closes a slow consumer: what it lacks is no longer in the log, or it takes too little of what waits for it. */
  closeSlow(client: Client, details: SlowDetails): void {
    const { metrics, logger, slow } = this.#deps
    metrics.slowClosed++
    logger.warn({ event: 'slow_consumer', client_id: client.id, code: 4429, ...details, address: client.address })
    slow(client, 'closed')
    this.close(client, 'slow_consumer')
  }

  /**
   * Ends closed connections at once, which have had their time to read, until `excess` bytes are free. Returns what is
   * left of it.
   */
  terminate(excess: number): number {
    let left = excess
    for (const { transport } of this.#clients) {
      if (left <= 0) break
      left -= transport.bufferedBytes()
      transport.terminate()
    }
    return left
  }
}

/** What a driver of logs in an external store is made with. */

import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../observability/logger.ts'
import type { ExpiryReason } from '../../observability/metric-labels.ts'
import type { RemoteStore } from './remote-store.ts'

/** The options. `Subject` is what its user calls a log. */
export type RemoteLogOptions<Subject> = {
  readonly store: RemoteStore
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  /**
   * `degrade`: what asks for no more than `memory` is delivered and queued while the store is away; `strict`:
   * everything is refused.
   */
  readonly mode: 'degrade' | 'strict'
  /** Bytes on their way to the store, before publishers have to wait. */
  readonly queueBytes: number
  /** Bytes that are queued while it is away, and the name of this limit in refusals. */
  readonly outageQueueBytes: number
  readonly outageQueueLimit: string
  /** Bytes that are at hand of all logs together. */
  readonly tailBytes: number
  readonly metrics: RemoteLogMetrics
  /** Whether anybody listens to a log: after an outage these are compared with the store ahead of the rest. */
  readonly isListenedTo?: (subject: Subject) => boolean
}

/** What it counts. */
export type RemoteLogMetrics = {
  /** Messages that left the history. */
  expire(reason: ExpiryReason, count: number): void
  /** A call has its reply. */
  called(seconds: number, messages: number): void
}

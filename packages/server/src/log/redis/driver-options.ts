/** What a Redis driver of the log is made with. */
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../observability/logger.ts'
import type { RecordPlace } from '../../redis/keys.ts'
import type { RedisLink } from '../../redis/link.ts'

/** What the driver is made with. `Subject` is what its user calls a log. */
export type RedisLogOptions<Subject = never> = {
  readonly link: RedisLink
  /** Stores what logs belong to, ahead of the messages that need it; says where that is, by log. */
  readonly records?: { ahead(logs: Iterable<string>): ReadonlyMap<string, readonly RecordPlace[]> | undefined }
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly logger: Logger
  /** Who this node is, unlike any other and any earlier process. */
  readonly node: string
  readonly dedupWindowMs: number
  /** `degrade`: what asks for no more than `memory` is delivered and held while Redis is away; `strict`: everything is refused. */
  readonly mode: 'degrade' | 'strict'
  /** How many replicas must have a message before it is acknowledged. */
  readonly replicas: number
  readonly timeoutMs: number
  /** Bytes on their way to Redis, before publishers have to wait. */
  readonly queueBytes: number
  /** Bytes that are held while it is away. */
  readonly heldBytes: number
  /** Bytes of all tails together. */
  readonly tailBytes: number
  readonly metrics: RedisLogMetrics
  /** Whether anybody listens to a log: after an outage these are compared with Redis ahead of the rest. */
  readonly isListenedTo?: (subject: Subject) => boolean
  /** Where the time in positions comes from: Redis's clock, or, in tests, the node's. */
  readonly timeOf?: 'redis' | 'node'
}

/** What it counts. */
export type RedisLogMetrics = {
  /** Messages that left the history. */
  expire(reason: 'length' | 'age' | 'deleted', count: number): void
  /** A call has its answer. */
  called(seconds: number, messages: number): void
}

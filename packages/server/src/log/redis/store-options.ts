/** What the log store in Redis is made with. */
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../observability/logger.ts'
import type { RecordPlace } from '../../redis/keys.ts'
import type { RedisLink } from '../../redis/link.ts'

/** The options. */
export type RedisLogStoreOptions = {
  readonly link: RedisLink
  /** Stores what logs belong to, ahead of the messages that need it; says where that is, by log. */
  readonly records?: { ahead(logs: Iterable<string>): ReadonlyMap<string, readonly RecordPlace[]> | undefined }
  /**
   * The queues that get an event of each message of a log, as `append.lua` takes them: together with the message, or
   * not at all. Undefined where there are none.
   */
  readonly eventQueues?: { of(log: { readonly name: string }): string } | undefined
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  /** The name of this node, unlike that of any other and any earlier process. */
  readonly node: string
  readonly dedupWindowMs: number
  /** How many replicas must have a message before it is acknowledged. */
  readonly replicas: number
  readonly timeoutMs: number
  /** Where the time in positions comes from: Redis's clock, or, in tests, the node's. */
  readonly timeOf?: 'redis' | 'node'
}

/** Chooses the drivers of what is kept, by the configuration. With `server.ts` the one place that names them. */
import type { BusLog } from './bus/publish/draft.ts'
import type { Config } from './config/index.ts'
import type { Clock } from './kit/clock.ts'
import type { Logger } from './kit/logger.ts'
import type { Metrics } from './kit/metrics.ts'
import { exitCodes, StartError } from './kit/start-error.ts'
import { createMemoryLog } from './log/memory.ts'
import { createRedisLog } from './log/redis/driver.ts'
import { createRedisLink, type RedisLink } from './redis/link.ts'
import type { Store } from './store/contract.ts'
import { createRedisStore } from './store/redis.ts'

/** What choosing needs. */
export type StorageDeps = {
  readonly config: Config
  readonly clock: Clock
  readonly metrics: Metrics
  readonly logger: Logger
  /** Who this node is. */
  readonly node: string
  /** Hears when it goes away, and when it is back. */
  readonly changed: (
    event: 'storage_degraded' | 'storage_recovered',
    details: Readonly<Record<string, unknown>>,
  ) => void
}

/** What is kept, and where. */
export type Storage = {
  readonly log: BusLog
  /** What is kept beside messages; undefined where nothing is. */
  readonly store: Store | undefined
  /** True while what should be stored cannot be. */
  isAway(): boolean
  /** Connects, where there is something to connect to; ends after the first try, however that went. */
  start(): Promise<void>
  /** Lets go of it; the log is closed by itself. */
  close(): void
}

/** Makes the drivers. */
export function createStorage(deps: StorageDeps): Storage {
  const { config } = deps
  if (config.redisUrl === undefined || config.persist.length === 0) {
    return { log: memoryLog(deps), store: undefined, isAway: () => false, start: async () => {}, close() {} }
  }
  const link = redisLink(config.redisUrl, deps)
  // The store before the log: what was kept is put back before the log looks at what there is.
  const store = config.persist.some((one) => one !== 'messages') ? createRedisStore({ ...deps, link }) : undefined
  const log = config.persist.includes('messages') ? redisLog(link, deps) : memoryLog(deps)
  return {
    log,
    store,
    isAway: () => !link.isReady,
    start: link.start,
    close: link.close,
  }
}

/** The log in the memory of this process. */
export const memoryLog = ({ clock, metrics, config }: Pick<StorageDeps, 'clock' | 'metrics' | 'config'>): BusLog =>
  createMemoryLog({
    clock,
    maxBytes: config.historyBytes,
    dedupWindowMs: config.dedupWindowMs,
    dedupBytes: config.dedupBytes,
    expired: (reason, count) => metrics.expire(reason, count),
  })

function redisLink(url: string, { config, logger, metrics, changed }: StorageDeps): RedisLink {
  if (url.includes(','))
    throw new StartError(
      'REDIS_URL names a cluster, which this version does not speak to: give one URL.',
      exitCodes.configuration,
    )
  return createRedisLink({
    url,
    timeoutMs: config.redisTimeoutMs,
    logger,
    random: Math.random,
    changed(state, reason) {
      const event = state === 'ready' ? 'storage_recovered' : 'storage_degraded'
      const details = state === 'ready' ? {} : { reason, mode: config.storageMode }
      if (state === 'away') metrics.storageDegraded++
      logger[state === 'ready' ? 'info' : 'warn']({ event, ...details })
      changed(event, details)
    },
  })
}

function redisLog(link: RedisLink, { config, clock, logger, metrics, node }: StorageDeps): BusLog {
  return createRedisLog({
    link,
    clock,
    logger,
    node,
    dedupWindowMs: config.dedupWindowMs,
    mode: config.storageMode,
    replicas: config.redisReplicas,
    timeoutMs: config.redisTimeoutMs,
    queueBytes: config.redisQueueBytes,
    heldBytes: config.redisHeldBytes,
    tailBytes: config.historyBytes,
    metrics: { expire: metrics.expire, called: (seconds) => metrics.appended(seconds) },
  })
}

/** Chooses the drivers of what is kept, by the configuration. With `server.ts` the one place that names them. */

import { redisWarningsOf } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'
import { createMemoryLog } from '../log/memory-log.ts'
import { createRedisLogStore } from '../log/redis/redis-log-store.ts'
import { createRemoteLog } from '../log/remote/remote-driver.ts'
import { createRedisRevocations, type StoreRevocation } from '../persistence/redis-revocations.ts'
import { createRedisStore } from '../persistence/redis-store.ts'
import type { Store } from '../persistence/store.ts'
import type { BusLog } from '../publish/draft.ts'
import { createRedisLink, type LinkUser, type RedisLink } from '../redis/link.ts'
import { RedisQueues } from '../webhooks/redis-queues.ts'
import type { Core } from './core.ts'

/** What is kept, and where. */
export type Storage = {
  readonly log: BusLog
  /** What is kept beside messages; undefined where nothing is. */
  readonly store: Store | undefined
  /** The queues of webhooks; undefined where they are in memory. */
  readonly eventQueues: RedisQueues | undefined
  /** Stores revocations; undefined where there is no store. */
  readonly storeRevocation: StoreRevocation | undefined
  /**
   * Judges what has outlived its time: its wall clock is the lesser of this process's and Redis's, so that a step ahead
   * of one of them ends nothing.
   */
  readonly clock: Clock
  /** True while what should be stored cannot be. */
  isAway(): boolean
  /** Why it is away, in one word. */
  fault(): string | undefined
  /** How long it was away so far, in seconds. */
  awaySeconds(): number
  /** The last outage: when it began, in wall time, and how long it lasted so far; undefined where there was none. */
  lastOutage(): { readonly since: number; readonly ms: number } | undefined
  /** Memory in use of an external store, and its limit, if it has one; undefined where nothing is known of it. */
  size(): { readonly bytes: number; readonly maxBytes: number | undefined } | undefined
  /** Replicas that are waited for before a message is acknowledged, and those that are there. */
  replicas(): { readonly wanted: number; readonly connected: number }
  /** Connects, where there is something to connect to; ends after the first try, however that went. */
  start(): Promise<void>
  /** Closes the connections; the log is closed separately. */
  close(): void
}

/** Creates the drivers. */
export function createStorage(core: Core): Storage {
  const { config } = core
  if (config.redisUrl === undefined || config.persist.length === 0) {
    return {
      log: memoryLog(core),
      store: undefined,
      eventQueues: undefined,
      storeRevocation: undefined,
      clock: core.clock,
      isAway: () => false,
      fault: () => undefined,
      awaySeconds: () => 0,
      lastOutage: () => undefined,
      size: () => undefined,
      replicas: () => ({ wanted: 0, connected: 0 }),
      start: async () => {},
      close() {},
    }
  }
  const outages = createOutages(core.clock)
  const link = redisLink(config.redisUrl, core, outages)
  // The store before the log: records are restored before the log reads what there is.
  const clock: Clock = { ...core.clock, now: () => Math.min(core.clock.now(), link.redisNow()) }
  const store = createRedisStore({ ...core, clock, link })
  // The queues before the log: what waits for Redis goes ahead of the messages that do.
  const eventQueues = new RedisQueues({ ...core, link, limits: config })
  const storeRevocation =
    config.auth === 'token' ? createRedisRevocations({ ...core, link, revocations: core.auth.revocations }) : undefined
  const log = config.persist.includes('messages') ? redisLog(link, { store, eventQueues }, core) : memoryLog(core)
  return {
    log,
    store,
    eventQueues,
    storeRevocation,
    clock,
    isAway: () => !link.isReady,
    fault: () => link.fault,
    awaySeconds: outages.seconds,
    lastOutage: outages.last,
    size() {
      const { usedBytes, maxBytes } = link.guarantees
      return usedBytes === 0 ? undefined : { bytes: usedBytes, maxBytes: maxBytes || undefined }
    },
    replicas: () => ({
      wanted: config.persist.includes('messages') ? config.redisReplicas : 0,
      connected: link.isReady ? link.guarantees.replicas : 0,
    }),
    start: () => startLink(link),
    close() {
      eventQueues.close()
      link.close()
    },
  }
}

/** How long something was away, all times together and the last time. */
function createOutages(clock: Clock) {
  let total = 0
  let since: number | undefined
  let last: { readonly since: number; readonly ms: number } | undefined
  const current = () => (since === undefined ? 0 : clock.monotonic() - since)
  return {
    begin() {
      if (since !== undefined) return
      since = clock.monotonic()
      last = { since: clock.now(), ms: 0 }
    },
    end() {
      if (last !== undefined && since !== undefined) last = { ...last, ms: current() }
      total += current()
      since = undefined
    },
    last: () => (last === undefined || since === undefined ? last : { ...last, ms: current() }),
    seconds: () => (total + current()) / 1000,
  }
}

/**
 * Closed logs that are remembered, some 300 bytes each: enough for channels that fall quiet, too few to be a burden.
 */
const MOST_CLOSED_LOGS = 10_000

/** The log in the memory of this process. */
const memoryLog = ({ clock, metrics, config }: Core): BusLog =>
  createMemoryLog({
    clock,
    maxBytes: config.historyBytes,
    inboxBytes: config.inboxBytes,
    dedupWindowMs: config.dedupWindowMs,
    dedupBytes: config.dedupBytes,
    maxClosed: Math.min(config.maxChannels, MOST_CLOSED_LOGS),
    expired: (reason, count) => metrics.expire(reason, count),
  })

function redisLink(url: string, core: Core, outages: ReturnType<typeof createOutages>): RedisLink {
  const { config, logger, metrics, observers } = core
  const link = createRedisLink({
    url,
    password: config.redisPassword,
    tls: { ca: config.redisTlsCa, cert: config.redisTlsCert, key: config.redisTlsKey },
    timeoutMs: config.redisTimeoutMs,
    waitsForReplicas: config.redisReplicas > 0,
    logger,
    random: Math.random,
    changed(state, fault) {
      if (state === 'away') {
        metrics.storageDegraded++
        outages.begin()
        logger.warn({ event: 'storage_degraded', reason: fault?.reason, mode: config.storageMode, ...fault })
        observers.storageChanged('storage_degraded', { reason: fault?.reason, mode: config.storageMode })
      } else {
        outages.end()
        logger.info({ event: 'storage_recovered' })
        observers.storageChanged('storage_recovered', {})
      }
    },
    metrics: { connected: (outcome) => metrics.storageConnect(outcome), pinged: (seconds) => metrics.pinged(seconds) },
  })
  link.use(createPromiseCheck(core, link))
  return link
}

/** Warns of a Redis that promises less than the settings ask for, when that is new. */
function createPromiseCheck({ config, logger }: Core, link: RedisLink): LinkUser {
  let warned: readonly string[] = []
  return {
    prepare: async () => {},
    ready() {
      const found = redisWarningsOf(config, link.guarantees)
      for (const warning of found) if (!warned.includes(warning.event)) logger.warn(warning)
      warned = found.map(({ event }) => event)
    },
    away() {},
  }
}

/** Connects; a Redis that the bus cannot use ends the start, while one that is away does not. */
async function startLink(link: RedisLink): Promise<void> {
  await link.start()
  if (link.unfit === undefined) return
  link.close()
  throw new StartError(
    `The Redis of ARQONBUS_REDIS_URL cannot be used: ${link.unfit.message}.`,
    exitCodes.configuration,
  )
}

type BesideLog = { readonly store: Store; readonly eventQueues: RedisQueues }

function redisLog(
  link: RedisLink,
  { store: records, eventQueues }: BesideLog,
  { config, clock, logger, metrics, node }: Core,
): BusLog {
  const store = createRedisLogStore({
    link,
    records,
    eventQueues,
    clock,
    logger,
    node,
    dedupWindowMs: config.dedupWindowMs,
    replicas: config.redisReplicas,
    timeoutMs: config.redisTimeoutMs,
  })
  return createRemoteLog({
    store,
    clock,
    logger,
    mode: config.storageMode,
    queueBytes: config.redisQueueBytes,
    outageQueueBytes: config.queuedBytes,
    outageQueueLimit: 'queued_bytes',
    tailBytes: config.historyBytes,
    metrics: { expire: metrics.expire, called: (seconds) => metrics.appended(seconds) },
    isListenedTo: (feeds) => feeds.some(({ subscribers }) => subscribers > 0),
  })
}

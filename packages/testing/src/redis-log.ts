/** The Redis driver of the log on a Redis of the test: each has its own link, node and key prefix. */
import { createRedisLink, createRedisLogStore, createRemoteLog, type Draft, type LogDriver } from '@arqonbus/server'
import { eventually } from './eventually.ts'
import type { TestRedis } from './redis.ts'
import type { LogSettings, LogUnderTest, StoreHand } from './suites/log/index.ts'

/** A driver, and functions to change its Redis. */
export type RedisLogUnderTest = LogUnderTest & {
  readonly store: StoreHand
  readonly node: string
  /** The name of a log in Redis. */
  nameOf(key: string): string
  end(): void
}

/** Options that differ from the defaults. */
type Differences = {
  /** The key prefix; that of another driver if both are to have the same logs. */
  readonly space?: string
  readonly timeoutMs?: number
  /** The source of the time in positions. Default: the clock of the test. */
  readonly timeOf?: 'redis' | 'node'
  /** The URL of Redis, if it is reached through a proxy. */
  readonly url?: string
  /** The number of required replicas. */
  readonly replicas?: number
}

let count = 0

/** Creates a driver; resolves when it is connected. */
export async function openRedisLog(
  redis: TestRedis,
  settings: LogSettings,
  differences: Differences = {},
): Promise<RedisLogUnderTest> {
  const { space = `t${++count}`, timeoutMs = 3000, timeOf = 'node', url = redis.url, replicas = 0 } = differences
  const node = `node-${++count}`
  const link = createRedisLink({
    url,
    timeoutMs,
    logger: silent,
    random: () => 0,
    changed: () => {},
    metrics: { connected: () => {}, pinged: () => {} },
  })
  const store = createRedisLogStore({
    link,
    clock: settings.clock,
    logger: silent,
    node,
    dedupWindowMs: settings.dedupWindowMs,
    replicas,
    timeoutMs,
    timeOf,
  })
  const made = createRemoteLog<string, Draft>({
    store,
    clock: settings.clock,
    logger: silent,
    mode: 'degrade',
    queueBytes: 1 << 20,
    outageQueueBytes: 1 << 20,
    outageQueueLimit: 'queued_bytes',
    tailBytes: settings.maxBytes,
    metrics: { expire: settings.expired, called: () => {} },
  })
  const opened: { readonly isCurrent: boolean; readonly isClosed: boolean; ready(): unknown }[] = []
  const nameOf = (key: string) => `${space}:${key}`
  const driver: LogDriver<string, Draft> = {
    ...made,
    get identity() {
      return made.identity
    },
    get isAway() {
      return made.isAway
    },
    get isCongested() {
      return made.isCongested
    },
    open(key, subject, options) {
      const log = made.open(nameOf(key), subject, options)
      opened.push(log as typeof log & { readonly isCurrent: boolean })
      return log
    },
    closed: (key) => made.closed(nameOf(key)),
  }
  const until = (isAway: boolean) =>
    eventually(
      () => {
        if (driver.isAway !== isAway) throw new Error(`Redis is still ${isAway ? 'reachable' : 'unreachable'}`)
      },
      { everyMs: 2 },
    )
  await link.start()
  return {
    driver,
    node,
    nameOf,
    async settle() {
      // During an outage nothing is settled.
      // Until a log has been reconciled with Redis, its requests wait.
      const isBusy = () => driver.usage().queuedMessages > 0 || opened.some((log) => !log.isClosed && !log.isCurrent)
      while (!driver.isAway && isBusy()) await turn()
      if (!driver.isAway) await Promise.all(opened.map((log) => log.ready()))
    },
    store: {
      async leave() {
        await redis.kill()
        await until(true)
      },
      stall: () => redis.pause(),
      async comeBack() {
        await redis.restart()
        await until(false)
      },
      async forget() {
        await redis.command('FLUSHALL')
      },
      neighbour: () => openRedisLog(redis, settings, { ...differences, space }),
    },
    end: () => link.close(),
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Parameters<
  typeof createRedisLink
>[0]['logger']

/**
 * The link to Redis: three connections that live and die together, for commands, for long reads, and for what is announced.
 *
 * It is away or ready, and nothing between is seen from outside. Before it is ready it has prepared: durability is known, scripts are loaded, announcements
 * are subscribed to, and whoever uses it has compared what it knows with what Redis has. Whatever breaks or is late drops all three connections; what was
 * under way then has no known outcome. It comes back by itself, for ever, each time a little later, and never at the same moment as its neighbours.
 */
import type { Redis, RedisOptions } from 'ioredis'
import { after } from '../kit/timer.ts'
import type { Logger } from '../observability/logger.ts'
import { nameOfFault, UnreadableReply } from './faults.ts'
import { type Guarantees, readGuarantees } from './guarantees.ts'

/** The connections of a link that is up, or being prepared. */
export type Connections = {
  readonly commands: Redis
  /** Reads that may take long: they stop nobody who writes. */
  readonly reads: Redis
  readonly news: Redis
  /** True where they lead to the same process as those before them: it has lost nothing. Known from `prepare` on. */
  readonly isSameRedis: boolean
}

/** Somebody who uses the link. */
export type LinkUser = {
  /** Makes ready for use, after each connect. The link is ready when everybody is. */
  prepare(connections: Connections): Promise<void>
  /** From now on it is ready. */
  ready(): void
  /** From now on it is away. */
  away(): void
  /** Something was announced. The buffer is used again when this has returned. */
  heard?(message: Buffer): void
}

/** The link. */
export type RedisLink = {
  readonly isReady: boolean
  /** What Redis promises of what it says that it has, as of the last look. */
  readonly guarantees: Guarantees
  /** Redis's clock in milliseconds, by the last look and the time since; infinite before the first look. */
  redisNow(): number
  /** The connections, while it is ready. */
  readonly connections: Connections | undefined
  /** Adds somebody who uses it; before `start`. */
  use(user: LinkUser): void
  /** Connects, and ends when it is ready for the first time, or the first try has failed. */
  start(): Promise<void>
  /** Something is wrong with these connections: they are dropped, and made anew. */
  drop(connections: Connections, reason: string): void
  /** Somebody has found that Redis does not keep what it promised: it is asked again, soon. */
  lookAgain(): void
  /** Ends it. */
  close(): void
}

/** What a link goes by. */
export type LinkOptions = {
  readonly url: string
  /** An answer that takes longer means that Redis is away, in milliseconds. */
  readonly timeoutMs: number
  readonly logger: Logger
  /** A number from 0 to 1. */
  readonly random: () => number
  /** Hears of each change. `reason` is a word for what went wrong. */
  readonly changed: (state: 'ready' | 'away', reason: string | undefined) => void
  readonly metrics: LinkMetrics
}

/** What a link counts. */
export type LinkMetrics = {
  /** A try to connect has ended. */
  connected(outcome: 'ready' | 'failed'): void
  /** Redis has answered a PING. */
  pinged(seconds: number): void
}

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2000
/**
 * One question is sent at this interval, or twice in the timeout where that is short: alternately INFO on the connection for commands, because the guarantees
 * may change at any moment, and a ping on the connection for announcements, which is silent when all is well. Every tenth question is a ping on the connection
 * for reads, where each read has a timeout anyway. A Redis that has stopped shows on each of them.
 */
const ASK_MS = 500
const ASKS_IN_TIMEOUT = 2
const LOOK_MS = 1000
const READS_EVERY = 10
/** An answer may take this part of the timeout: a Redis that has stopped is noticed after five quarters of it. */
const ANSWER_SHARE = 3 / 4

const UNKNOWN: Guarantees = {
  level: 'memory',
  replicas: 0,
  canWaitForDisk: false,
  settledAs: '',
  runId: '',
  timeMs: Number.NaN,
  config: new Map(),
  configOf: '',
}

/** Makes a link; it does nothing before `start`. */
export function createRedisLink(options: LinkOptions): RedisLink {
  const { timeoutMs, logger } = options
  const users: LinkUser[] = []
  let state: 'new' | 'away' | 'ready' | 'closed' = 'new'
  let current: Connections | undefined
  let guarantees = UNKNOWN
  let retry: ReturnType<typeof setTimeout> | undefined
  let tries = 0
  /** The process that the link was ready with last. */
  let readyRunId = ''
  /** On the monotonic clock. */
  let lookedAt = 0
  let mustLook = false

  const redisOptions: RedisOptions = {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // What could not be sent, or was not answered, is never sent again behind our back: it would be stored twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    autoResubscribe: false,
    enableReadyCheck: false,
    connectionName: 'arqonbus',
  }

  const look = async ({ commands }: Connections, before?: Guarantees): Promise<void> => {
    guarantees = await readGuarantees(commands, before)
    lookedAt = performance.now()
  }

  const connect = async (): Promise<void> => {
    // Loaded by those who connect alone: it would be a tenth of every start.
    const { Redis } = await import('ioredis')
    if (state === 'closed') return
    const before = readyRunId
    const open = () => new Redis(options.url, redisOptions)
    const all = [open(), open(), open()] as const
    const [commands, reads, news] = all
    const connections: Connections = {
      commands,
      reads,
      news,
      get isSameRedis() {
        return before !== '' && guarantees.runId === before
      },
    }
    current = connections
    for (const connection of all) {
      connection.on('error', (problem) => drop(connections, nameOfFault(problem)))
      connection.on('close', () => drop(connections, 'closed'))
    }
    connections.news.on('smessageBuffer', (_channel: Buffer, message: Buffer) => {
      if (current === connections) for (const user of users) user.heard?.(message)
    })
    try {
      await inTime(Promise.all(all.map((connection) => connection.connect())), timeoutMs)
      await look(connections)
      for (const user of users) await user.prepare(connections)
    } catch (problem) {
      return drop(connections, nameOfFault(problem))
    }
    if (current !== connections) return
    tries = 0
    options.metrics.connected('ready')
    readyRunId = guarantees.runId
    const wasAway = state === 'away'
    state = 'ready'
    // At the start there is nothing to be back from.
    if (wasAway) options.changed('ready', undefined)
    for (const user of users) user.ready()
    watch(connections)
  }

  /** A Redis that takes everything and answers nothing is found out by asking, and so is one that promises something else by now. */
  const watch = (connections: Connections) => {
    const every = Math.min(ASK_MS, timeoutMs / ASKS_IN_TIMEOUT)
    let asks = 0
    let isAsking = false
    const ask = async () => {
      const askedAt = performance.now()
      await inTime(askNext(connections, asks++, every), timeoutMs * ANSWER_SHARE)
      options.metrics.pinged((performance.now() - askedAt) / 1000)
    }
    const timer = setInterval(() => {
      if (current !== connections) return clearInterval(timer)
      if (isAsking) return
      isAsking = true
      ask()
        .catch((problem: unknown) => drop(connections, nameOfFault(problem)))
        .finally(() => {
          isAsking = false
        })
    }, every)
    timer.unref()
  }

  const askNext = (connections: Connections, asks: number, every: number): Promise<void> => {
    if (asks % 2 === 1) return ping(asks % READS_EVERY === 1 ? connections.reads : connections.news, asks)
    // Where the timeout is short a ping is enough in between.
    if (!mustLook && performance.now() - lookedAt < LOOK_MS - every) return ping(connections.commands, asks)
    mustLook = false
    return look(connections, guarantees)
  }

  /** An answer to another question shows that a connection is out of step. */
  const ping = async (connection: Redis, word: number): Promise<void> => {
    const answer: unknown = await connection.ping(String(word))
    const echo = Array.isArray(answer) ? String(answer[1]) : answer
    if (echo !== String(word)) throw new UnreadableReply('not the echo of a ping', answer)
  }

  const drop = (connections: Connections, reason: string): void => {
    if (current !== connections) return
    current = undefined
    for (const connection of [connections.commands, connections.reads, connections.news]) connection.disconnect()
    if (state === 'closed') return
    const before = state
    state = 'away'
    if (before !== 'ready') options.metrics.connected('failed')
    if (before !== 'away') options.changed('away', reason)
    else logger.debug({ event: 'redis_unreachable', reason, tries })
    if (before === 'ready') for (const user of users) user.away()
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries++, 10))
    retry = setTimeout(() => void connect(), delay * (0.5 + options.random() / 2))
  }

  return {
    get isReady() {
      return state === 'ready'
    },
    get guarantees() {
      return guarantees
    },
    redisNow() {
      const now = guarantees.timeMs + performance.now() - lookedAt
      return Number.isNaN(now) ? Number.POSITIVE_INFINITY : Math.floor(now)
    },
    get connections() {
      return state === 'ready' ? current : undefined
    },
    use: (user) => void users.push(user),
    start: connect,
    drop,
    lookAgain() {
      mustLook = true
    },
    close() {
      const wasReady = state === 'ready'
      state = 'closed'
      clearTimeout(retry)
      if (current !== undefined) drop(current, 'closed')
      // Whoever still waits for an answer hears that there is none.
      if (wasReady) for (const user of users) user.away()
    },
  }
}

/** Ends with an error when it is not done in time. */
function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = after(ms, () => reject(new Error('Command timed out')))
    work.then(resolve, reject).finally(cancel)
  })
}

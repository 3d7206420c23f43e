/**
 * The link to Redis: three connections that live and die together, for commands, for long reads, and for what is announced.
 *
 * It is away or ready, and nothing between is seen from outside. Before it is ready it has prepared: durability is known, scripts are loaded, announcements
 * are subscribed to, and whoever uses it has compared what it knows with what Redis has. Whatever breaks or is late drops all three connections; what was
 * under way then has no known outcome. It comes back by itself, for ever, each time a little later, and never at the same moment as its neighbours.
 */
import { Redis } from 'ioredis'
import type { Logger } from '../kit/logger.ts'
import { nameOfFault } from './faults.ts'
import { type Guarantees, readGuarantees } from './guarantees.ts'

/** The connections of a link that is up, or being prepared. */
export type Connections = {
  readonly commands: Redis
  /** Reads that may take long: they stop nobody who writes. */
  readonly reads: Redis
  readonly news: Redis
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
/** What it promises may change at any moment, and so long a wrong level is told: as often as can be without Redis noticing. */
const LOOK_AGAIN_MS = 1000

/** Makes a link; it does nothing before `start`. */
export function createRedisLink(options: LinkOptions): RedisLink {
  const { timeoutMs, logger } = options
  const users: LinkUser[] = []
  let state: 'new' | 'away' | 'ready' | 'closed' = 'new'
  let current: Connections | undefined
  let guarantees: Guarantees = { level: 'memory', replicas: 0, canWaitForDisk: false }
  let retry: ReturnType<typeof setTimeout> | undefined
  let tries = 0
  let lookedAt = 0

  const connect = async (): Promise<void> => {
    const connections: Connections = { commands: open(), reads: open(), news: open() }
    current = connections
    const all = Object.values(connections)
    for (const connection of all) {
      connection.on('error', (problem) => drop(connections, nameOfFault(problem)))
      connection.on('close', () => drop(connections, 'closed'))
    }
    connections.news.on('smessageBuffer', (_channel: Buffer, message: Buffer) => {
      if (current === connections) for (const user of users) user.heard?.(message)
    })
    try {
      await inTime(Promise.all(all.map((connection) => connection.connect())), timeoutMs)
      guarantees = await readGuarantees(connections.commands)
      for (const user of users) await user.prepare(connections)
    } catch (problem) {
      return drop(connections, nameOfFault(problem))
    }
    if (current !== connections || state === 'closed') return
    tries = 0
    options.metrics.connected('ready')
    const before = state
    state = 'ready'
    // At the start there is nothing to be back from.
    if (before === 'away') options.changed('ready', undefined)
    for (const user of users) user.ready()
    watch(connections)
  }

  const open = () =>
    new Redis(options.url, {
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
    })

  /** A Redis that takes everything and answers nothing is found out by asking, and so is one that promises something else by now. */
  const watch = (connections: Connections) => {
    lookedAt = performance.now()
    let isAsking = false
    // Asked within the first quarter of the time, and answered within the rest.
    const quarter = timeoutMs / 4
    const ask = async () => {
      const askedAt = performance.now()
      await inTime(Promise.all(Object.values(connections).map((connection) => connection.ping())), 3 * quarter)
      options.metrics.pinged((performance.now() - askedAt) / 1000)
      if (performance.now() - lookedAt < LOOK_AGAIN_MS) return
      lookedAt = performance.now()
      guarantees = await readGuarantees(connections.commands)
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
    }, quarter)
    timer.unref()
  }

  const drop = (connections: Connections, reason: string): void => {
    if (current !== connections) return
    current = undefined
    for (const connection of Object.values(connections)) connection.disconnect()
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
    get connections() {
      return state === 'ready' ? current : undefined
    },
    use: (user) => void users.push(user),
    start: connect,
    drop,
    lookAgain() {
      lookedAt = Number.NEGATIVE_INFINITY
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
    const timer = setTimeout(() => reject(new Error('Command timed out')), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

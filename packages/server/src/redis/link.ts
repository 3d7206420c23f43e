/**
 * The link to Redis: three connections that live and die together, for commands, for long reads, and for what is
 * announced.
 *
 * It is away or ready, and nothing between is seen from outside. Before it is ready it has prepared: durability is
 * known, scripts are loaded, announcements are subscribed to, and its users have compared what they know with what
 * Redis has. A fault or a late reply drops all three connections; what was under way then has no known outcome. The
 * link reconnects by itself without end, each time a little later, and never at the same moment as other servers.
 */
import type { Redis } from 'ioredis'
import { after } from '../kit/timer.ts'
import type { Logger } from '../observability/logger.ts'
import { connectOptions, type RedisPlace } from './connect-options.ts'
import { describeFault, type RedisFault, UnfitRedis, UnreadableReply } from './faults.ts'
import { type Guarantees, readGuarantees } from './guarantees.ts'
import { checkRights } from './rights.ts'

/** The connections of a link that is up, or being prepared. */
export type Connections = {
  readonly commands: Redis
  /** Reads that may take long: they do not delay writes. */
  readonly reads: Redis
  readonly news: Redis
  /** True where they lead to the same process as those before them: it has lost nothing. Known from `prepare` on. */
  readonly isSameRedis: boolean
}

/** A user of the link. */
export type LinkUser = {
  /** Makes ready for use, after each connect. The link is ready when all users are. */
  prepare(connections: Connections): Promise<void>
  /** From now on it is ready. */
  ready(): void
  /** From now on it is away. */
  away(): void
  /** Something was announced. The buffer is used again when this has returned. */
  heard?(message: Buffer): void
}

/** Options of a link. */
export type LinkOptions = RedisPlace & {
  /** An answer that takes longer means that Redis is away, in milliseconds. */
  readonly timeoutMs: number
  /** Whether calls wait for replicas, which takes a right more. */
  readonly waitsForReplicas?: boolean
  readonly logger: Logger
  /** A number from 0 to 1. */
  readonly random: () => number
  /** Called for each change, with the fault that was the cause. */
  readonly changed: (state: 'ready' | 'away', fault: RedisFault | undefined) => void
  readonly metrics: {
    /** A try to connect has ended. */
    connected(outcome: 'ready' | 'failed'): void
    /** Redis has answered a PING. */
    pinged(seconds: number): void
  }
}

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2000
/**
 * One question is sent at this interval, or twice in the timeout where that is short: alternately INFO on the
 * connection for commands, because the guarantees may change at any moment, and a ping on the connection for
 * announcements, which is silent when all is well. Every tenth question is a ping on the connection for reads, where
 * each read has a timeout anyway. A Redis that has stopped shows on each of them.
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
  usedBytes: 0,
  maxBytes: 0,
  timeMs: Number.NaN,
  config: new Map(),
  configOf: '',
}

/** Creates a link; it does nothing before `start`. */
export const createRedisLink = (options: LinkOptions): RedisLink => new RedisLink(options)

/** The link. */
export class RedisLink {
  readonly #options: LinkOptions
  readonly #users: LinkUser[] = []
  #state: 'new' | 'away' | 'ready' | 'closed' = 'new'
  #current: Connections | undefined
  #guarantees = UNKNOWN
  #retry: ReturnType<typeof setTimeout> | undefined
  #tries = 0
  /** The process that the link was ready with last. */
  #readyRunId = ''
  /** On the monotonic clock. */
  #lookedAt = 0
  #mustLook = false
  /** The last fault of an outage, in one word. */
  #fault: string | undefined
  #unfit: UnfitRedis | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /** What Redis promises of what it says that it has, as of the last look. */
  get guarantees(): Guarantees {
    return this.#guarantees
  }

  /** Why it is away, in one word; undefined where it is not, or nothing is known yet. */
  get fault(): string | undefined {
    return this.isReady ? undefined : this.#fault
  }

  /** Why the bus cannot use this Redis, whatever becomes of it, as of the last try. */
  get unfit(): UnfitRedis | undefined {
    return this.#unfit
  }

  /** The connections, while it is ready. */
  get connections(): Connections | undefined {
    return this.#state === 'ready' ? this.#current : undefined
  }

  /** Redis's clock in milliseconds, by the last look and the time since; infinite before the first look. */
  redisNow(): number {
    const now = this.#guarantees.timeMs + performance.now() - this.#lookedAt
    return Number.isNaN(now) ? Number.POSITIVE_INFINITY : Math.floor(now)
  }

  /** Adds a user; before `start`. */
  use(user: LinkUser): void {
    this.#users.push(user)
  }

  /** Connects, and ends when it is ready for the first time, or the first try has failed. */
  async start(): Promise<void> {
    // Loaded only where there is a Redis: it would be a tenth of every start.
    const { Redis } = await import('ioredis')
    if (this.#state === 'closed') return
    const { timeoutMs, metrics, changed } = this.#options
    let connections: Connections
    try {
      // Certificates are read anew, because they are renewed now and then.
      const redisOptions = connectOptions(this.#options, timeoutMs)
      connections = this.#open(() => new Redis(redisOptions))
    } catch (problem) {
      return this.#failed(problem)
    }
    try {
      await inTime(Promise.all(allOf(connections).map((connection) => connection.connect())), timeoutMs)
      await this.#look(connections)
      await checkRights(
        connections.commands,
        this.#guarantees.canWaitForDisk && this.#options.waitsForReplicas === true,
      )
      for (const user of this.#users) await user.prepare(connections)
    } catch (problem) {
      return this.drop(connections, problem)
    }
    if (this.#current !== connections) return
    this.#tries = 0
    metrics.connected('ready')
    this.#readyRunId = this.#guarantees.runId
    const wasAway = this.#state === 'away'
    this.#state = 'ready'
    // At the start there was no outage.
    if (wasAway) changed('ready', undefined)
    for (const user of this.#users) user.ready()
    this.#watch(connections)
  }

  /** Something is wrong with these connections: they are dropped, and made anew. */
  drop(connections: Connections, problem: unknown): void {
    if (this.#current !== connections) return
    this.#current = undefined
    for (const connection of allOf(connections)) connection.disconnect()
    if (this.#state !== 'closed') this.#failed(problem)
  }

  /** From now on it is away, and the next try is due. */
  #failed(problem: unknown): void {
    const { metrics, changed, logger, random } = this.#options
    const before = this.#state
    const fault = describeFault(problem)
    this.#state = 'away'
    this.#unfit = problem instanceof UnfitRedis ? problem : undefined
    if (before !== 'ready') metrics.connected('failed')
    if (before !== 'away') changed('away', fault)
    // What only a person can put right is said when it is new; all else passes by itself.
    else if (fault.advice !== undefined && fault.reason !== this.#fault)
      logger.warn({ event: 'redis_refused', ...fault })
    else logger.debug({ event: 'redis_unreachable', reason: fault.reason, tries: this.#tries })
    this.#fault = fault.reason
    if (before === 'ready') for (const user of this.#users) user.away()
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#tries++, 10))
    this.#retry = setTimeout(() => void this.start(), delay * (0.5 + random() / 2))
  }

  /** Redis does not keep what it promised: its guarantees are read again with the next question. */
  lookAgain(): void {
    this.#mustLook = true
  }

  /** Ends the link and its connections. */
  close(): void {
    const wasReady = this.#state === 'ready'
    this.#state = 'closed'
    clearTimeout(this.#retry)
    if (this.#current !== undefined) this.drop(this.#current, CLOSED)
    // Calls that wait for a reply learn that none will come.
    if (wasReady) for (const user of this.#users) user.away()
  }

  /** Opens three connections, which are the current ones from now on. Whatever breaks one of them drops all. */
  #open(open: () => Redis): Connections {
    const before = this.#readyRunId
    const runId = () => this.#guarantees.runId
    const connections: Connections = {
      commands: open(),
      reads: open(),
      news: open(),
      get isSameRedis() {
        return before !== '' && runId() === before
      },
    }
    this.#current = connections
    for (const connection of allOf(connections)) {
      connection.on('error', (problem) => this.drop(connections, problem))
      connection.on('close', () => this.drop(connections, CLOSED))
    }
    connections.news.on('smessageBuffer', (_channel: Buffer, message: Buffer) => {
      if (this.#current === connections) for (const user of this.#users) user.heard?.(message)
    })
    return connections
  }

  async #look({ commands }: Connections, before?: Guarantees): Promise<void> {
    this.#guarantees = await readGuarantees(commands, before)
    this.#lookedAt = performance.now()
  }

  /**
   * A Redis that takes everything and replies to nothing is found by asking, and so is one whose guarantees have
   * changed.
   */
  #watch(connections: Connections): void {
    const { timeoutMs, metrics } = this.#options
    const every = Math.min(ASK_MS, timeoutMs / ASKS_IN_TIMEOUT)
    let asks = 0
    let isAsking = false
    const ask = async () => {
      const askedAt = performance.now()
      await inTime(this.#askNext(connections, asks++, every), timeoutMs * ANSWER_SHARE)
      metrics.pinged((performance.now() - askedAt) / 1000)
    }
    const timer = setInterval(() => {
      if (this.#current !== connections) return clearInterval(timer)
      if (isAsking) return
      isAsking = true
      ask()
        .catch((problem: unknown) => this.drop(connections, problem))
        .finally(() => {
          isAsking = false
        })
    }, every)
    timer.unref()
  }

  #askNext(connections: Connections, asks: number, every: number): Promise<void> {
    if (asks % 2 === 1) return ping(asks % READS_EVERY === 1 ? connections.reads : connections.news, asks)
    // Where the timeout is short a ping is enough in between.
    if (!this.#mustLook && performance.now() - this.#lookedAt < LOOK_MS - every) return ping(connections.commands, asks)
    this.#mustLook = false
    return this.#look(connections, this.#guarantees)
  }
}

/** What is wrong with a connection that ended without an error. */
const CLOSED = Object.assign(new Error('Connection is closed.'), { code: 'closed' })

const allOf = ({ commands, reads, news }: Connections): readonly Redis[] => [commands, reads, news]

/** A reply to another question shows that a connection is out of step. */
async function ping(connection: Redis, word: number): Promise<void> {
  const reply: unknown = await connection.ping(String(word))
  const echo = Array.isArray(reply) ? String(reply[1]) : reply
  if (echo !== String(word)) throw new UnreadableReply('not the echo of a ping', reply)
}

/** Ends with an error when it is not done in time. */
function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = after(ms, () => reject(new Error('Command timed out')))
    work.then(resolve, reject).finally(cancel)
  })
}

/**
 * The store in Redis. It writes on the connection on which the log appends: Redis does what comes there in order, so
 * what is written before a message is sent is stored before that message is.
 */
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Connections, RedisLink } from '../redis/link.ts'
import { commandsOf, countChange, isRefusal, placeOf, sweepSessions } from './redis-store-keys.ts'
import { createReader } from './redis-store-reader.ts'
import type { Change, RecordStoreUser, Store } from './store.ts'

/** What the store is made with. */
export type RedisStoreOptions = {
  readonly link: RedisLink
  readonly clock: Clock
  readonly logger: Logger
}

/** Makes the driver. It uses the link, and does not start it. */
export function createRedisStore({ link, clock, logger }: RedisStoreOptions): Store {
  let user: RecordStoreUser | undefined
  /** How often this process has counted a change of its own. */
  let ownChanges = 0
  const readerOf = (connections: Connections) =>
    createReader({ connections, clock, logger, ownChanges: () => ownChanges })

  let hasCompared = false
  const compare = async (connections: Connections): Promise<void> => {
    await user?.compare(readerOf(connections))
    hasCompared = true
  }

  link.use({
    prepare: async (connections) => {
      if (!hasCompared || !connections.isSameRedis) await compare(connections)
      else await user?.check(readerOf(connections))
    },
    ready() {
      user?.ready()
      const { connections } = link
      if (connections?.isSameRedis === true) compare(connections).catch((problem) => link.drop(connections, problem))
    },
    away: () => user?.away(),
  })

  const ask = async <Answer>(question: (connections: Connections) => Promise<Answer>): Promise<Answer> => {
    const { connections } = link
    if (connections === undefined) throw new Error('Redis is away')
    try {
      return await question(connections)
    } catch (problem) {
      link.drop(connections, problem)
      throw problem
    }
  }

  const write = async ({ commands }: Connections, changes: readonly Change[]): Promise<readonly Change[]> => {
    const now = clock.now()
    const lines = changes.map((change) => commandsOf(change, now))
    const isCounted = changes.some(({ kind }) => kind !== 'session')
    if (isCounted) ownChanges++
    const ofAll = isCounted ? [countChange, sweepSessions(now)] : [sweepSessions(now)]
    const answers = (await commands.pipeline([...lines.flat(), ...ofAll]).exec()) ?? []
    const refused: Change[] = []
    lines.forEach((line, i) => {
      const problems = answers.splice(0, line.length).flatMap(([problem]) => problem ?? [])
      for (const problem of problems) if (!isRefusal(problem)) throw problem
      if (problems.length > 0) refused.push(changes[i]!)
      if (problems.length > 0 && refused.length === 1)
        logger.warn({ event: 'store_write_failed', key: line[0]![1], error: String(problems[0]).slice(0, 200) })
    })
    return refused
  }

  return {
    get isAway() {
      return !link.isReady
    },
    use(one) {
      user = one
    },
    write: async (changes) => (changes.length === 0 ? [] : ask((connections) => write(connections, changes))),
    ahead(logs) {
      const needed = user?.ahead(logs)
      return needed && new Map([...needed].map(([log, changes]) => [log, changes.map(placeOf)]))
    },
    session: (clientId, key) => ask((connections) => readerOf(connections).session(clientId, key)),
    place: (room, channel) => ask((connections) => readerOf(connections).place(room, channel)),
    changesElsewhere: () => ask((connections) => readerOf(connections).changesElsewhere()),
    async *channels(room) {
      const pages = await ask(async (connections) => readerOf(connections).channels([room])[Symbol.asyncIterator]())
      for (;;) {
        const { done, value } = await ask(() => pages.next())
        if (done) return
        yield value
      }
    },
  }
}

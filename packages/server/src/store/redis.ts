/**
 * The store in Redis: a hash for all rooms, one for all channels, and for each session a key that ends with it. A sorted set has the ids of the sessions by
 * their ends, so that nobody has to search among the keys for them.
 */
import type { Redis } from 'ioredis'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { nameOfFault } from '../redis/faults.ts'
import { keyOf } from '../redis/keys.ts'
import type { RedisLink } from '../redis/link.ts'
import type { Change, Store, Stored, StoreUser } from './contract.ts'

/** What the store goes by. */
export type RedisStoreOptions = {
  readonly link: RedisLink
  readonly clock: Clock
  readonly logger: Logger
}

const keys = { room: keyOf('@rooms'), channel: keyOf('@channels'), sessions: keyOf('@sessions') }
const sessionKey = (clientId: string): string => keyOf(`@session:${clientId}`)

const PAGE = 500

/** What Redis says when it takes no writes, as opposed to this one: the link looks for the one that does. */
const ELSEWHERE = ['readonly', 'loading', 'masterdown', 'moved', 'ask', 'clusterdown']

/** Makes the driver. It uses the link; whoever made that starts it. */
export function createRedisStore({ link, clock, logger }: RedisStoreOptions): Store {
  let user: StoreUser | undefined

  link.use({
    prepare: ({ reads }) => user?.compare(storedIn(reads, clock)) ?? Promise.resolve(),
    ready: () => user?.ready(),
    away: () => user?.away(),
  })

  return {
    get isAway() {
      return !link.isReady
    },
    use(one) {
      user = one
    },
    async write(changes) {
      const { connections } = link
      if (connections === undefined) throw new Error('Redis is away')
      if (changes.length === 0) return
      try {
        await writeTo(connections.commands, changes, clock.now())
      } catch (problem) {
        const fault = nameOfFault(problem)
        const isRefused = problem instanceof Error && problem.name === 'ReplyError' && !ELSEWHERE.includes(fault)
        if (isRefused) logger.warn({ event: 'store_write_failed', error: String(problem).slice(0, 200) })
        else link.drop(connections, fault)
        throw problem
      }
    },
    async session(clientId) {
      const { connections } = link
      if (connections === undefined) return undefined
      try {
        return (await connections.reads.get(sessionKey(clientId))) ?? undefined
      } catch (problem) {
        link.drop(connections, nameOfFault(problem))
        return undefined
      }
    },
  }
}

/** All in one go; what follows a part that Redis refuses is done, and written again with it. */
async function writeTo(redis: Redis, changes: readonly Change[], now: number): Promise<void> {
  const pipeline = redis.pipeline()
  for (const { kind, name, text, until = now } of changes) {
    if (kind !== 'session') {
      if (text === undefined) pipeline.hdel(keys[kind], name)
      else pipeline.hset(keys[kind], name, text)
    } else if (text === undefined || until <= now) {
      pipeline.del(sessionKey(name)).zrem(keys.sessions, name)
    } else {
      pipeline.set(sessionKey(name), text, 'PX', Math.ceil(until - now)).zadd(keys.sessions, until, name)
    }
  }
  if (changes.some(({ kind }) => kind === 'session')) pipeline.zremrangebyscore(keys.sessions, '-inf', now)
  const answers = (await pipeline.exec()) ?? []
  for (const [problem] of answers) if (problem !== null) throw problem
}

const storedIn = (redis: Redis, clock: Clock): Stored => ({
  async *all(kind) {
    let cursor = '0'
    do {
      const [next, flat] = await redis.hscan(keys[kind], cursor, 'COUNT', PAGE)
      yield flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : []))
      cursor = next
    } while (cursor !== '0')
  },
  async sessions(most) {
    const texts: string[] = []
    while (texts.length < most) {
      const limit = Math.min(PAGE, most - texts.length)
      const ids = await redis.zrevrangebyscore(keys.sessions, '+inf', clock.now(), 'LIMIT', texts.length, limit)
      if (ids.length === 0) break
      const found = await Promise.all(ids.map((id) => redis.get(sessionKey(id))))
      texts.push(...found.map((text) => text ?? ''))
    }
    return texts.filter((text) => text !== '').reverse()
  },
})

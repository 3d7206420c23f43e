/** Reads what a Redis has of rooms, channels and sessions. */
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Connections } from '../redis/link.ts'
import { isOfKey, keys } from './redis-store-keys.ts'
import type { Records, Store, Stored } from './store.ts'

/** What reading needs. */
export type ReaderOptions = {
  readonly connections: Connections
  readonly clock: Clock
  readonly logger: Logger
  /** How often this process has counted a change of its own. */
  readonly ownChanges: () => number
}

const PAGE = 500
/** So many rooms are asked for their channels at once. */
const ROOMS_AT_ONCE = 100

/** Reads by these connections. */
export function createReader(options: ReaderOptions): Stored & Pick<Store, 'session'> {
  const { clock, logger, ownChanges } = options
  const { commands, reads } = options.connections

  /** A key that holds something else is reported, and counts as empty: nothing else fails for it. */
  const unlessDamaged = async <Answer>(key: string, answer: Promise<Answer>, empty: Answer): Promise<Answer> => {
    try {
      return await answer
    } catch (problem) {
      if (!isOfKey(problem)) throw problem
      logger.error({ event: 'store_key_damaged', key, error: String(problem).slice(0, 200) })
      return empty
    }
  }

  /** A field of a hash. */
  const textAt = async (key: string, field: string): Promise<string | undefined> =>
    (await unlessDamaged(key, reads.hget(key, field), null)) ?? undefined

  type Page = { readonly records: Records; readonly next: string }

  const page = async (key: string, cursor: string): Promise<Page> => {
    const [next, flat] = await unlessDamaged(key, reads.hscan(key, cursor, 'COUNT', PAGE), ['0', []])
    return { next, records: flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : [])) }
  }
  async function* pagesFrom(key: string, first: Page): AsyncGenerator<Records> {
    let current = first
    yield current.records
    while (current.next !== '0') {
      current = await page(key, current.next)
      yield current.records
    }
  }

  return {
    async changesElsewhere() {
      // Own changes that were sent before the question are counted when it is answered.
      const own = ownChanges()
      return Number((await unlessDamaged(keys.changes, commands.get(keys.changes), null)) ?? 0) - own
    },
    async *rooms() {
      yield* pagesFrom(keys.rooms, await page(keys.rooms, '0'))
    },
    async *channels(rooms) {
      // Most rooms have one page: those of many rooms are asked for together.
      for (let i = 0; i < rooms.length; i += ROOMS_AT_ONCE) {
        const some = rooms.slice(i, i + ROOMS_AT_ONCE)
        const firsts = await Promise.all(some.map((room) => page(keys.channelsOf(room), '0')))
        for (const [at, room] of some.entries()) {
          for await (const records of pagesFrom(keys.channelsOf(room), firsts[at]!))
            yield records.map(([name, text]) => [`${room}:${name}`, text] as const)
        }
      }
    },
    async sessions(most) {
      const found: (readonly string[])[] = []
      let count = 0
      for (let at = 0; count < most; at += PAGE) {
        const range = reads.zrevrangebyscore(keys.sessions, '+inf', clock.now(), 'LIMIT', at, PAGE)
        const ids = await unlessDamaged(keys.sessions, range, [])
        if (ids.length === 0) break
        const ofClients = ids.map(keys.sessionsOf).map((key) => unlessDamaged(key, reads.hvals(key), []))
        for (const texts of await Promise.all(ofClients)) {
          found.push(texts)
          count += texts.length
        }
      }
      return found.reverse().flat().slice(-most)
    },
    session: (clientId, key) => textAt(keys.sessionsOf(clientId), key),
    async place(room, channel) {
      const [ofRoom, ofChannel] = await Promise.all([
        textAt(keys.rooms, room),
        channel === undefined ? undefined : textAt(keys.channelsOf(room), channel),
      ])
      return { room: ofRoom, channel: ofChannel }
    },
  }
}

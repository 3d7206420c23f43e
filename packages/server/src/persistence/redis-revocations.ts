/**
 * Revocations in Redis: a hash with the moment of each, loaded before tokens are accepted, and again after each outage,
 * so that a node knows what was revoked by others while it could not hear them (docs/protocol.md#revocation).
 */
import { isClientId } from '@arqonbus/protocol'
import { type Revocation, type Revocations, revocationKinds } from '../auth/revocations.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../observability/logger.ts'
import { keyOf } from '../redis/keys.ts'
import type { Connections, RedisLink } from '../redis/link.ts'

/** What storing them needs. */
type RedisRevocationsDeps = {
  readonly link: RedisLink
  readonly revocations: Revocations
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Pick<Logger, 'warn'>
}

const KEY = keyOf('@revocations')
const PAGE = 500

/** Stores a revocation; false where that is done when Redis is back. */
export type StoreRevocation = (revocation: Revocation) => Promise<boolean>

/** Creates the store; it uses the link, and does not start it. `isLoaded` of the revocations is its business. */
export function createRedisRevocations({ link, revocations, clock, logger }: RedisRevocationsDeps): StoreRevocation {
  /** Those that are not known to be stored, by their fields. */
  const unstored = new Map<string, Revocation>()
  revocations.isLoaded = false

  const write = async ({ commands }: Connections, revocation: Revocation): Promise<void> => {
    const field = fieldOf(revocation)
    await commands.hset(KEY, field, String(revocation.at))
    if (unstored.get(field) === revocation) unstored.delete(field)
  }
  /** Those whose tokens have all expired are removed: their number would only grow. */
  const load = async ({ reads, commands }: Connections): Promise<void> => {
    const ended: string[] = []
    let cursor = '0'
    do {
      const [next, flat] = await reads.hscan(KEY, cursor, 'COUNT', PAGE)
      for (let i = 0; i < flat.length; i += 2) {
        const revocation = revocationIn(flat[i]!, flat[i + 1]!)
        if (revocation === undefined || revocations.endOf(revocation) <= clock.now()) ended.push(flat[i]!)
        else revocations.restore(revocation)
      }
      cursor = next
    } while (cursor !== '0')
    for (let i = 0; i < ended.length; i += PAGE) await commands.hdel(KEY, ...ended.slice(i, i + PAGE))
  }

  link.use({
    async prepare(connections) {
      await load(connections)
      for (const revocation of [...unstored.values()]) await write(connections, revocation)
      revocations.isLoaded = true
    },
    ready() {},
    away() {},
  })

  return async (revocation) => {
    unstored.set(fieldOf(revocation), revocation)
    const { connections } = link
    if (connections === undefined) return false
    try {
      await write(connections, revocation)
      return true
    } catch (problem) {
      logger.warn({ event: 'store_write_failed', key: KEY, error: String(problem).slice(0, 200) })
      link.drop(connections, problem)
      return false
    }
  }
}

const fieldOf = ({ kind, value }: Revocation): string => `${kind} ${value}`

function revocationIn(field: string, text: string): Revocation | undefined {
  const [named = ''] = field.split(' ', 1)
  const kind = revocationKinds.find((one) => one === named)
  const value = field.slice(named.length + 1)
  const at = Number(text)
  if (kind === undefined || value === '' || !Number.isFinite(at)) return undefined
  return kind === 'client_id' && !isClientId(value) ? undefined : { kind, value, at }
}

/**
 * Logs in Redis Streams, as a store of `log/remote/`. The scripts in `lua/` do what has to hold together or not at all;
 * this folder has their arguments and replies, the keys, and the connections.
 */
import { UnreadableReply } from '../../redis/faults.ts'
import { keyOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import type { RemoteStore } from '../remote/remote-store.ts'
import { newSecret } from '../secret.ts'
import { Announcements } from './announcements.ts'
import { createFingerprints, type Fingerprints, fingerprintsFrom } from './fingerprints.ts'
import { RedisSession } from './redis-session.ts'
import { createWords } from './script-args.ts'
import { newsIn, originIn, redactionIn } from './script-replies.ts'
import type { RedisLogStoreOptions } from './store-options.ts'

/** How many calls are under way at once. */
const MOST_CALLS = 4
/**
 * Where replicas are waited for, one: waits queue on their connection, and a replica that is missing would make the
 * last of them late.
 */
const MOST_CALLS_WITH_REPLICAS = 1

/** Creates the store on a link to Redis. It registers with the link, and does not start it. */
export function createRedisLogStore(options: RedisLogStoreOptions): RemoteStore {
  const { link, node, logger, replicas } = options
  const words = createWords(options)
  const announcements = new Announcements()
  let bus: Bus = { identity: crypto.randomUUID(), secret: newSecret(), prints: createFingerprints() }
  let session: RedisSession | undefined

  return {
    name: 'redis',
    node,
    get identity() {
      return bus.identity
    },
    get secret() {
      return bus.secret
    },
    get session() {
      return link.isReady ? session : undefined
    },
    get level() {
      return link.guarantees.level
    },
    replicasWanted: replicas,
    get replicasConnected() {
      return link.guarantees.replicas
    },
    callsAtOnce: replicas > 0 ? MOST_CALLS_WITH_REPLICAS : MOST_CALLS,
    now: () => (options.timeOf === 'node' ? Number.POSITIVE_INFINITY : link.redisNow()),
    opened: (name) => announcements.opened(name),
    closed(name) {
      const channel = announcements.closed(name)
      if (channel !== undefined && link.isReady) session?.leave(channel)
    },
    use(user) {
      link.use({
        async prepare(connections) {
          const begun = new RedisSession({ ...options, words, announcements, prints: () => bus.prints }, connections)
          session = begun
          const [joined] = await Promise.all([joinBus(connections, bus), begun.restore()])
          bus = joined
          await user.prepare(begun)
          await announcements.begin(connections)
        },
        ready: () => user.ready(),
        away: () => user.away(),
        heard(message) {
          const redaction = redactionIn(message)
          if (redaction !== undefined) return user.redacted(redaction.node, redaction.name, redaction.position)
          const origin = originIn(message)
          if (!user.isNews(origin)) return
          const news = newsIn(message)
          if (news === undefined) logger.warn({ event: 'redis_news_unreadable' })
          else user.heard(origin, news)
        },
      })
    },
    close: () => link.close(),
  }
}

/** What all nodes on one Redis share: one name, one secret, and one print by which they recognise a message. */
type Bus = { readonly identity: string; readonly secret: string; readonly prints: Fingerprints }

async function joinBus({ commands }: Connections, own: Bus): Promise<Bus> {
  const identity = await agree(commands, { name: '@bus', own: own.identity, form: /^[0-9a-f-]{36}$/ })
  const secret = await agree(commands, { name: '@secret', own: own.secret, form: /^[\w-]{43}$/ })
  const seed = await agree(commands, { name: '@seed', own: own.prints.seed, form: /^-?\d+ -?\d+$/ })
  return { identity, secret, prints: seed === own.prints.seed ? own.prints : fingerprintsFrom(seed) }
}

/** What the first node said of something. */
async function agree(commands: Connections['commands'], of: { name: string; own: string; form: RegExp }) {
  const key = keyOf(of.name)
  await commands.set(key, of.own, 'NX')
  const agreed = await commands.get(key)
  if (agreed === null || !of.form.test(agreed)) throw new UnreadableReply(`what ${key} holds`, agreed)
  return agreed
}

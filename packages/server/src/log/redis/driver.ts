/**
 * The log in Redis Streams: what it acknowledges outlives this process, and other nodes on the same Redis serve the same channels.
 *
 * `append-batches.ts` sends messages to Redis; `redis-log.ts` delivers what a log has, in order. `reconcile.ts` asks Redis for the heads of logs, and `outage.ts`
 * is for the time in which Redis does not answer. After a reconnect the node first fences off its earlier connection (`fence.lua`): what that had sent and
 * Redis had not done by then is never done.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import { nameOfFault, outcomeOf, UnreadableReply } from '../../redis/faults.ts'
import { keyOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import { type Draft, type LogDriver, type LogListener, UNKNOWN } from '../contract.ts'
import { closedRefusal, conflictRefusal, refusal } from '../refusals.ts'
import { type Calls, createCalls, waitedOf } from './append-batches.ts'
import { createDamages } from './damages.ts'
import type { RedisLogOptions } from './driver-options.ts'
import { createFingerprints, fingerprintsFrom } from './fingerprints.ts'
import { deletionOf, messageOf, type Operation } from './operation.ts'
import { createOutage, isAwayError } from './outage.ts'
import { createReconciler, type Reconciler } from './reconcile.ts'
import { type LogHost, RedisLog } from './redis-log.ts'
import type { Announcement } from './reorder-buffer.ts'
import { NOT_WAITED, type Replicated } from './replication.ts'
import { createWords, placeOf, SLACK_MS } from './script-args.ts'
import { type Damage, fencedIn, looksIn, newsIn, type Outcome, originIn, pageIn } from './script-replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'

/** Makes the driver. It uses the link; whoever made that starts it. */
export function createRedisLog<Subject, D extends Draft>(options: RedisLogOptions<Subject>): LogDriver<Subject, D> {
  type AnyLog = RedisLog<Subject, D>
  const { link, clock, node, logger } = options
  const words = createWords(options)
  const logs = new Map<string, AnyLog>()
  /** Logs with something at hand, the one that got something longest ago first. */
  const tails = new Set<AnyLog>()
  /** The one that was told last: it stands at the end of `tails` already. */
  let newest: AnyLog | undefined
  const atHand = { messages: 0, bytes: 0 }
  let listener: LogListener<Subject, D>
  let generation = 0
  let identity: string = crypto.randomUUID()
  let prints = createFingerprints()

  /** An answer that no rule here knows is a fault of ours, or of what somebody else has put under our keys. */
  const unexpected = (problem: unknown) => {
    const isOurs =
      problem instanceof TypeError ||
      problem instanceof UnreadableReply ||
      (isReply(problem) && outcomeOf(problem) === 'unknown')
    if (isOurs) logger.error({ event: 'redis_call_failed', error: textOf(problem) })
  }

  const away = createOutage<Subject, D>(options, () => listener)
  const damages = createDamages(logger)
  const looks: Reconciler<Subject, D> = createReconciler({
    options,
    words,
    logs,
    isInUse: (log) => log.isInUse || options.isListenedTo?.(log.subject) === true,
    isBeingDeleted: (name) => calls.deletes(name),
    flushSoon: () => calls.flushSoon(),
    damaged: (log, damage) => log.fail(damages.found(log, damage)),
    unexpected,
  })
  const calls: Calls<Subject, D> = createCalls({
    options,
    words,
    prints: () => prints,
    flushing: looks.lookAtNext,
    settle: (...of) => guard(() => settle(...of)),
    deleted: () => calls.flushSoon(),
    unexpected,
  })

  /** A listener that fails takes no other message with it. */
  const guard = (tell: () => void) => {
    try {
      tell()
    } catch (problem) {
      logger.error({ event: 'log_listener_failed', error: textOf(problem) })
    }
  }

  // ---- What Redis says of messages.

  /** The answer to a call. What was announced before has its outcome already. */
  const settle = (item: Operation<Subject, D>, outcome: Outcome, waited: Replicated, damage: Damage | undefined) => {
    if (item.isTold) return
    item.isTold = true
    const { log, owner } = item
    if (outcome.kind === 'damaged') return refuseDamaged(item, damage ?? { key: '', error: '' })
    if (outcome.kind === 'appended') return tell(log, toldOf(item, outcome.position, waited))
    // Where nobody waits, somebody else has brought it meanwhile, and has told.
    if (owner === undefined) return
    if (log.isClosed) listener.settled(log.subject, owner, closedRefusal())
    else if (outcome.kind === 'duplicate') listener.settled(log.subject, owner, { ...outcome, ...waited })
    else listener.settled(log.subject, owner, conflictRefusal(owner))
  }

  /** Its log takes nothing. What was acknowledged before, because it was held or because its outcome was not known, is lost with that. */
  const refuseDamaged = ({ log, owner }: Operation<Subject, D>, damage: Damage) => {
    const error = damages.found(log, damage)
    if (owner !== undefined) return listener.settled(log.subject, owner, refusal(error))
    logger.error({ event: 'messages_lost', count: 1, reason: 'the log is damaged', log: log.name, key: damage.key })
  }

  const toldOf = (
    { draft, owner }: Operation<Subject, D>,
    position: Announcement<D>['position'],
    waited: Replicated | undefined,
  ): Announcement<D> => ({ position, pieces: draft!.envelope, isOwn: true, draft: owner, waited })

  const tell = (log: AnyLog, told: Announcement<D>) => {
    if (log.isClosed) host.settled(log, told)
    else log.hear(told)
  }

  const hearNews = (message: Buffer) => {
    const origin = originIn(message)
    const call = origin.node === node ? calls.callOf(origin) : undefined
    // Of one's own calls that are answered there is nothing new.
    if (origin.node === node && call === undefined) return
    const news = newsIn(message)
    if (news === undefined) return logger.warn({ event: 'redis_news_unreadable' })
    for (const { name, position, index, pieces } of news) {
      const log = logs.get(name)
      if (log === undefined) continue
      // One that was closed and opened again is another log for whoever appended to the first.
      const own = call?.items[index]
      const item = own?.log === log ? own : undefined
      if (item === undefined) {
        guard(() => log.hear({ position, pieces, isOwn: false, draft: undefined, waited: NOT_WAITED }))
        continue
      }
      // Where replicas are waited for, the answer to the call says how many have it. Only the sender waits for that: by then it may be trimmed.
      item.isTold = options.replicas === 0
      item.announcedAt = position
      const waited = item.isTold ? waitedOf(call!, origin.isOnDisk) : undefined
      guard(() => log.hear(toldOf(item, position, waited)))
    }
  }

  // ---- Away and back.

  link.use({
    async prepare(connections) {
      const { commands } = connections
      await Promise.all([loadScripts(commands), joinBus(connections)])
      generation++
      const fenced = await callScript(commands, scripts.fence, [words.fenceKey], [generation, SLACK_MS])
      const last = fencedIn(fenced, generation)
      calls.begin(generation, last)
      away.lastDone(last)
      await looks.begin(connections)
    },
    ready() {
      const items = away.takeAll()
      calls.addFirst(items)
      for (const { log } of items) looks.need(log)
      looks.compareAll()
      calls.flushSoon()
    },
    away() {
      const { underWay, waiting } = calls.takeAll()
      for (const { items } of underWay) for (const { log } of items) log.wasInterrupted()
      away.begin(underWay, waiting)
      for (const log of logs.values()) log.away()
    },
    heard: hearNews,
  })

  /** All nodes on one Redis are one bus: they have one name, and recognise a message by one print. */
  const joinBus = async (connections: Connections): Promise<void> => {
    identity = await agree(connections, { name: '@bus', own: identity, form: /^[0-9a-f-]{36}$/ })
    const seed = await agree(connections, { name: '@seed', own: prints.seed, form: /^-?\d+ -?\d+$/ })
    if (seed !== prints.seed) prints = fingerprintsFrom(seed)
  }
  /** What the first node said of something. */
  const agree = async ({ commands }: Connections, of: { name: string; own: string; form: RegExp }): Promise<string> => {
    const key = keyOf(of.name)
    await commands.set(key, of.own, 'NX')
    const agreed = await commands.get(key)
    if (agreed === null || !of.form.test(agreed)) throw new UnreadableReply(`what ${key} holds`, agreed)
    return agreed
  }

  /** A closed log keeps its keys for a shorter time than an open one. A node that still has it open extends that in time. */
  const expireKeys = (log: AnyLog) => {
    const { connections } = link
    if (connections === undefined) return
    const keep = words.keepClosed(log.options)
    const kept = Promise.all(words.keysOf(log).map((key) => connections.commands.pexpire(key, keep)))
    kept.catch((problem) => link.drop(connections, nameOfFault(problem)))
  }

  /** Lost, it would be taken for that of a node that has done nothing yet. */
  const keepFence = (connections: Connections) => {
    const kept = connections.commands.pexpire(words.fenceKey, SLACK_MS)
    kept.catch((problem) => link.drop(connections, nameOfFault(problem)))
  }

  // ---- Questions.

  const ask = async <Answer>(question: (connections: Connections) => Promise<Answer>): Promise<Answer> => {
    const { connections } = link
    if (connections === undefined) throw isAwayError()
    try {
      return await question(connections)
    } catch (problem) {
      if (outcomeOf(problem) === 'reload') {
        await loadScripts(connections.commands).catch(() => {})
        return await question(connections).catch(() => Promise.reject(isAwayError()))
      }
      // Its log is damaged, and nothing else is.
      if (problem instanceof CodedError) throw problem
      unexpected(problem)
      // Where the question itself is at fault, the connection is not.
      if (!isReply(problem) || outcomeOf(problem) !== 'unknown') link.drop(connections, nameOfFault(problem))
      throw isAwayError()
    }
  }

  /** The lesser of the clocks of this node and of Redis: one that was stepped ahead makes nothing forgotten. */
  const carefulNow = () => (options.timeOf === 'node' ? clock.now() : Math.min(clock.now(), link.redisNow()))

  /** A log that is closed is only looked at; one that is open begins where there is none. */
  const lookAt = async (
    { commands }: Connections,
    log: Pick<AnyLog, 'name' | 'options' | 'origin' | 'lastDelivered' | 'isClosed'>,
    at: Position | undefined,
  ) => {
    const [stream, head] = words.keysOf(log)
    const word = words.question()
    const args = [word, log.isClosed ? '' : 'begin', words.now(), words.time(), ...words.lookOf(log, at, 'all')]
    const [seen] = looksIn(await callScript(commands, scripts.look, [stream, head], args), word, 1)
    if (seen === 'unchanged') throw new UnreadableReply('unchanged, where all was asked', seen)
    return seen
  }

  const host: LogHost<Subject, D> = {
    now: carefulNow,
    isAway: () => !link.isReady,
    append(log, draft) {
      if (log.isClosed) return listener.settled(log.subject, draft, closedRefusal())
      if (!link.isReady) return away.append(log, draft)
      if (!log.isCurrent) looks.need(log)
      calls.add(messageOf(log, draft))
    },
    need: (log) => looks.need(log),
    isActive: (log) => looks.active(log),
    delivered({ subject }, entry, { draft, waited }) {
      listener.delivered(subject, entry, draft)
      if (draft !== undefined && waited !== undefined)
        listener.settled(subject, draft, { kind: 'appended', position: entry, ...waited })
    },
    settled({ subject, isClosed }, { position, draft, waited }) {
      if (draft === undefined || waited === undefined) return
      listener.settled(subject, draft, isClosed ? closedRefusal() : { kind: 'appended', position, ...waited })
    },
    gap: (log, gap) => listener.gap(log.subject, log, gap),
    failed: unexpected,
    look: (log, at) =>
      ask(async (connections) => {
        const seen = await lookAt(connections, log, at)
        return seen !== undefined && 'damage' in seen ? Promise.reject(damages.found(log, seen.damage)) : seen
      }),
    read: (log, query) =>
      ask(async ({ reads }) => {
        const [stream, head] = words.keysOf(log)
        const { limit, maxBytes } = query
        const word = words.question()
        const { size, ttlMs } = log.options
        const args = [word, words.now(), words.time(), size, ttlMs, ...placeOf(query), limit, maxBytes]
        const page = pageIn(await callScript(reads, scripts.read, [stream, head], args), word)
        return 'damage' in page ? Promise.reject(damages.found(log, page.damage)) : page
      }),
    // Redis answers behind what it has announced on the same connection.
    heard: () => ask(async ({ news }) => void (await news.ping())),
    kept(log, messages, bytes) {
      atHand.messages += messages
      atHand.bytes += bytes
      if (log !== newest) {
        tails.delete(log)
        tails.add(log)
        newest = log
      }
      if (atHand.bytes <= options.tailBytes) return
      for (const oldest of tails) {
        oldest.forget()
        if (atHand.bytes <= options.tailBytes) break
      }
    },
    forgot(log, messages, bytes) {
      atHand.messages -= messages
      atHand.bytes -= bytes
      tails.delete(log)
      if (log === newest) newest = undefined
    },
    closed(log, isDeleted) {
      if (logs.get(log.name) === log) logs.delete(log.name)
      looks.closed(log)
      if (!isDeleted) return expireKeys(log)
      if (link.isReady) calls.add(deletionOf(log))
      else away.hold(deletionOf(log))
    },
  }

  return {
    name: 'redis',
    get identity() {
      return identity
    },
    isImmediate: false,
    get isAway() {
      return !link.isReady
    },
    get isCongested() {
      return calls.bytes > options.queueBytes
    },
    durability: () => (link.isReady ? link.guarantees.level : 'memory'),
    durabilityOfAccepted: () => link.guarantees.level,
    replicas: () => (link.isReady ? Math.min(options.replicas, link.guarantees.replicas) : 0),
    listen: (one) => {
      listener = one
    },
    open(key, subject, logOptions) {
      const log: AnyLog = new RedisLog(host, key, subject, logOptions)
      logs.set(key, log)
      looks.opened(log)
      return log
    },
    closed: (key) =>
      ask(async (connections) => {
        const closed = {
          name: key,
          options: { size: 0, ttlMs: 0 },
          origin: UNKNOWN,
          lastDelivered: UNKNOWN,
          isClosed: true,
        }
        const seen = await lookAt(connections, closed, { ms: 0, n: 1 })
        return seen === undefined || 'damage' in seen ? undefined : { head: seen.head, former: seen.former }
      }),
    sweep() {
      const { connections } = link
      if (connections === undefined) return
      if (looks.tick(connections)) keepFence(connections)
    },
    usage: () => ({
      ...atHand,
      dedupBytes: 0,
      queuedMessages: away.size + calls.size,
      queuedBytes: away.bytes + calls.bytes,
    }),
    close: () => link.close(),
  }
}

/** True for an answer of Redis, as opposed to the lack of one. */
const isReply = (problem: unknown): boolean => problem instanceof Error && problem.name === 'ReplyError'

const textOf = (problem: unknown): string => String((problem as Error)?.stack ?? problem).slice(0, 1000)

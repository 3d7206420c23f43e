/**
 * The log in Redis Streams: what it acknowledges outlives this process, and other nodes on the same Redis serve the same channels.
 *
 * Drafts wait in a queue; whatever waits at the end of a tick goes in one script call, and few calls are under way at once, so that a busy Redis is given
 * more with each. A call has a number, and Redis notes the last one that it has done for this node. After a reconnect the node first takes the word
 * (`fence.lua`): what an earlier connection had sent and was not done by then is never done; so the node knows of every call whether it was done, and
 * appends again what was not, before anything newer.
 *
 * While Redis is away, messages that ask for no more than `memory` are held, in order; everything else is refused.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { nameOfFault, outcomeOf } from '../../redis/faults.ts'
import { keyOf, newsChannelOf } from '../../redis/keys.ts'
import type { Connections, RedisLink } from '../../redis/link.ts'
import type { Draft, LogDriver, LogListener, LogOptions, ReadQuery } from '../contract.ts'
import { createHeld, type Held } from './held.ts'
import { type LogHost, RedisLog } from './log.ts'
import { contentPrint, idPrint } from './prints.ts'
import { type News, newsIn, outcomeIn, pageIn, seenIn } from './replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'

/** What the driver goes by. */
export type RedisLogOptions = {
  readonly link: RedisLink
  readonly clock: Clock
  readonly logger: Logger
  /** Who this node is, unlike any other and any earlier process. */
  readonly node: string
  readonly dedupWindowMs: number
  /** `degrade`: what asks for no more than `memory` is delivered and held while Redis is away; `strict`: everything is refused. */
  readonly mode: 'degrade' | 'strict'
  /** How many replicas must have a message before it is acknowledged. */
  readonly replicas: number
  readonly timeoutMs: number
  /** Bytes on their way to Redis, before publishers have to wait. */
  readonly queueBytes: number
  /** Bytes that are held while it is away. */
  readonly heldBytes: number
  /** Bytes of all tails together. */
  readonly tailBytes: number
  readonly metrics: RedisLogMetrics
  /** Where the time in positions comes from: Redis's clock, or, in tests, the node's. */
  readonly timeOf?: 'redis' | 'node'
}

/** What it counts. */
export type RedisLogMetrics = {
  /** Messages that left the history. */
  expire(reason: 'length' | 'age' | 'deleted', count: number): void
  /** A call has its answer. */
  called(seconds: number, messages: number): void
}

/** A call that is under way. */
type Call<Subject, D extends Draft> = {
  readonly number: number
  /** Its messages, log by log. */
  readonly items: readonly Item<Subject, D>[]
  readonly bytes: number
  readonly sentAt: number
  /** True where Redis said that it did not do it. */
  isRefused: boolean
}

/** Something that is to be done in Redis, in order: a message for a log, or, without one, the deletion of the log. */
type Item<Subject, D extends Draft> = {
  readonly log: RedisLog<Subject, D>
  readonly draft: D | undefined
  /** Undefined where its sender has been told of an outcome already. */
  readonly owner: D | undefined
  readonly bytes: number
  isTold: boolean
}

/** So many messages and bytes go in one call, for a script stops everybody else; and so many calls are under way at once. */
const MOST_IN_CALL = 128
const MOST_CALL_BYTES = 256 * 1024
const MOST_CALLS = 4
const LOOKS_AT_ONCE = 100
/** Keys outlive what they hold by a day: a clock that is stepped ahead takes nothing with it. */
const SLACK_MS = 86_400_000
const COMPARE_FIRST_MS = 2000
const COMPARE_MS = 30_000

/** Makes the driver. It uses the link; whoever made that starts it. */
export function createRedisLog<Subject, D extends Draft>(options: RedisLogOptions): LogDriver<Subject, D> {
  type AnyLog = RedisLog<Subject, D>
  const { link, clock, metrics, node } = options
  const logs = new Map<string, AnyLog>()
  const channels = new Map<string, number>()
  const held: Held<Item<Subject, D>> = createHeld(options.heldBytes)
  /** Logs with something at hand, the one that got something longest ago first. */
  const tails = new Set<AnyLog>()
  let listener: LogListener<Subject, D>
  let queue: Item<Subject, D>[] = []
  let queueBytes = 0
  let calls: Call<Subject, D>[] = []
  let unseen = new Set<AnyLog>()
  let callNumber = 0
  let generation = 0
  let isFlushing = false
  let isReloading = false
  let identity: string = crypto.randomUUID()
  let atHand = { messages: 0, bytes: 0 }
  let compareAt = Number.POSITIVE_INFINITY

  const told = () => (options.timeOf === 'node' ? String(Math.trunc(clock.now())) : '')
  const now = () => String(Math.trunc(clock.now()))
  const keepOf = ({ ttlMs }: LogOptions) => Math.max(ttlMs, options.dedupWindowMs) + SLACK_MS
  const fenceKey = keyOf(`@node:${node}`)
  const keysOf = ({ name }: AnyLog) => {
    const start = keyOf(name)
    return { stream: `${start}:s`, head: `${start}:h`, dedup: [`${start}:d0`, `${start}:d1`] as const }
  }

  // ---- On the way to Redis.

  const enqueue = (item: Item<Subject, D>) => {
    queue.push(item)
    queueBytes += item.bytes
    flushSoon()
  }
  const flushSoon = () => {
    if (isFlushing) return
    isFlushing = true
    setImmediate(() => {
      isFlushing = false
      flush()
    })
  }
  const flush = () => {
    const { connections } = link
    if (connections === undefined || isReloading) return
    lookAtNew(connections)
    while (queue.length > 0 && calls.length < MOST_CALLS) send(connections, takeCall())
  }

  /** The next messages, or one deletion. Of a log they stay in order; the logs of a call have none. */
  const takeCall = (): Call<Subject, D> => {
    let bytes = 0
    let end = 0
    while (end < queue.length && end < MOST_IN_CALL) {
      const item = queue[end]!
      if (item.draft === undefined && end > 0) break
      bytes += item.bytes
      if (bytes > MOST_CALL_BYTES && end > 0) {
        bytes -= item.bytes
        break
      }
      end++
      if (item.draft === undefined) break
    }
    const items = queue.slice(0, end)
    queue = queue.slice(end)
    const call = { number: ++callNumber, items, bytes, sentAt: performance.now(), isRefused: false }
    calls.push(call)
    return call
  }

  const send = (connections: Connections, call: Call<Subject, D>) => {
    const answered = call.items[0]!.draft === undefined ? sendDelete(connections, call) : sendAppends(connections, call)
    answered.catch((problem: unknown) => failed(connections, call, problem))
  }

  const sendDelete = async (connections: Connections, call: Call<Subject, D>): Promise<void> => {
    const { log } = call.items[0]!
    const { stream, head, dedup } = keysOf(log)
    const args = [generation, call.number, told(), keepOf(log.options), ...knownOf(log)]
    const count = await callScript<number>(
      connections.commands,
      scripts.delete,
      [fenceKey, stream, head, ...dedup],
      args,
    )
    metrics.expire('deleted', count)
    finish(call)
  }

  const sendAppends = async (connections: Connections, call: Call<Subject, D>): Promise<void> => {
    const byLog = Map.groupBy(call.items, ({ log }) => log)
    const keys = [fenceKey]
    const args: (string | number)[] = [node, generation, call.number, now(), told(), options.dedupWindowMs]
    const order: Item<Subject, D>[] = []
    for (const [log, items] of byLog) {
      const { stream, head, dedup } = keysOf(log)
      keys.push(stream, head, ...dedup)
      args.push(log.name, newsChannelOf(log.name), log.options.size, log.options.ttlMs, keepOf(log.options))
      args.push(...knownOf(log), items.length)
      for (const item of items) {
        const { envelope, remembered } = item.draft!
        args.push(remembered ? idPrint(envelope) : '', remembered ? contentPrint(envelope) : '')
        args.push(envelope.head, envelope.body + envelope.joint)
        order.push(item)
      }
    }
    const answer = callScript<string[]>(connections.commands, scripts.append, keys, args)
    // On one connection Redis waits behind the call: what it says is about this call too.
    const waited =
      options.replicas > 0
        ? connections.commands.wait(options.replicas, Math.ceil(options.timeoutMs / 2))
        : Promise.resolve(undefined)
    const [outcomes, replicas] = await Promise.all([answer, waited])
    if (!calls.includes(call)) return
    metrics.called((performance.now() - call.sentAt) / 1000, order.length)
    order.forEach((item, i) => settle(item, outcomes[i]!, replicas))
    for (const trimmed of outcomes.slice(order.length)) {
      const [length, age] = trimmed.split(' ').map(Number)
      if (length! > 0) metrics.expire('length', length!)
      if (age! > 0) metrics.expire('age', age!)
    }
    finish(call)
  }

  const settle = (item: Item<Subject, D>, text: string, replicas: number | undefined) => {
    if (item.isTold) return
    item.isTold = true
    const { log, owner } = item
    const { head, body, joint } = item.draft!.envelope
    const outcome = outcomeIn(text)
    if (log.isClosed) {
      if (owner !== undefined) listener.refused(log.subject, new CodedError('channel_not_found'), owner)
    } else if (outcome.kind === 'appended') {
      log.hear({ position: outcome.position, head, rest: body + joint, draft: owner, replicas })
    } else if (owner === undefined) {
      // Somebody else has brought it meanwhile: whoever waits for it has been told.
      return
    } else if (outcome.kind === 'repeated') {
      listener.repeated(log.subject, outcome.position, owner)
    } else {
      listener.refused(log.subject, new CodedError('id_conflict', { id: owner.envelope.id }), owner)
    }
  }

  const finish = (call: Call<Subject, D>) => {
    calls = calls.filter((one) => one !== call)
    queueBytes -= call.bytes
    if (isReloading) returnCalls()
    else flush()
  }

  const failed = (connections: Connections, call: Call<Subject, D>, problem: unknown) => {
    if (!calls.includes(call)) return
    const outcome = outcomeOf(problem)
    call.isRefused = outcome !== 'unknown'
    if (outcome !== 'reload') {
      sayUnexpected(problem)
      return link.drop(connections, nameOfFault(problem))
    }
    isReloading = true
    returnCalls()
  }

  /** The scripts are gone: what was sent did not run. When everything that is under way has come back, it goes again, in order. */
  const returnCalls = () => {
    const { connections } = link
    if (connections === undefined || calls.some(({ isRefused }) => !isRefused)) return
    queue = [...calls.flatMap(({ items }) => items), ...queue]
    calls = []
    loadScripts(connections.commands).then(
      () => {
        isReloading = false
        flush()
      },
      (problem) => link.drop(connections, nameOfFault(problem)),
    )
  }

  /** An answer that no rule here knows is a fault of ours, or of what somebody else has put under our keys. */
  const sayUnexpected = (problem: unknown) => {
    if (isReply(problem) && outcomeOf(problem) === 'unknown')
      options.logger.error({ event: 'redis_call_failed', error: String(problem).slice(0, 500) })
  }

  // ---- From Redis.

  const knownOf = ({ birth, given }: AnyLog): (string | number)[] => [birth.ms, given.ms, given.n]

  const lookArgs = (log: AnyLog, at: Position | undefined): (string | number)[] => [
    log.options.ttlMs,
    keepOf(log.options),
    ...knownOf(log),
    at === undefined ? '' : `${at.ms}-${at.n}`,
  ]

  const look = async (connections: Connections, asked: readonly AnyLog[]): Promise<void> => {
    const keys = asked.flatMap((log) => [keysOf(log).stream, keysOf(log).head])
    const args = ['begin', now(), told()]
    const positions = asked.map(({ given }) => given)
    const rest = asked.flatMap((log, i) => lookArgs(log, positions[i]!.n > 0 ? positions[i] : undefined))
    const answer = await callScript<string[]>(connections.commands, scripts.look, keys, [...args, ...rest])
    asked.forEach((log, i) => {
      // What was told while the answer was on its way cannot be compared with it.
      if (!log.isClosed && (log.given === positions[i] || !log.isKnown)) log.seen(seenIn(answer, i)!)
    })
  }

  /** Logs that were opened in this tick. */
  const lookAtNew = (connections: Connections) => {
    if (unseen.size === 0) return
    const asked = [...unseen]
    unseen = new Set()
    // What is announced between a look and a subscription would be heard by nobody.
    subscribe(connections, new Set(asked.map(({ name }) => newsChannelOf(name))))
      .then(() => lookAll(connections, asked))
      .catch((problem) => lookFailed(connections, asked, problem))
  }

  const lookFailed = (connections: Connections, asked: readonly AnyLog[], problem: unknown) => {
    if (outcomeOf(problem) !== 'reload') return link.drop(connections, nameOfFault(problem))
    loadScripts(connections.commands).then(
      () => {
        for (const log of asked) if (!log.isClosed && !log.isKnown) unseen.add(log)
        flushSoon()
      },
      (again) => link.drop(connections, nameOfFault(again)),
    )
  }

  const subscribe = async (connections: Connections, wanted: ReadonlySet<string>): Promise<void> => {
    if (wanted.size > 0) await connections.news.ssubscribe(...wanted)
  }

  const lookAll = async (connections: Connections, all: readonly AnyLog[]): Promise<void> => {
    for (let i = 0; i < all.length; i += LOOKS_AT_ONCE) {
      const some = all.slice(i, i + LOOKS_AT_ONCE).filter((log) => !log.isClosed)
      if (some.length > 0) await look(connections, some)
    }
  }

  /** Looks at all logs again: what an earlier connection had sent may have been done since, and Redis may have lost what was told here. */
  const compare = (connections: Connections) => {
    const all = [...logs.values()]
    lookAll(connections, all).catch((problem) => lookFailed(connections, all, problem))
  }

  const ask = async <Answer>(question: (connections: Connections) => Promise<Answer>): Promise<Answer> => {
    const { connections } = link
    if (connections === undefined) throw away()
    try {
      return await question(connections)
    } catch (problem) {
      if (outcomeOf(problem) === 'reload') {
        await loadScripts(connections.reads).catch(() => {})
        return await question(connections).catch(() => Promise.reject(away()))
      }
      if (isReply(problem) && outcomeOf(problem) === 'unknown') sayUnexpected(problem)
      else link.drop(connections, nameOfFault(problem))
      throw away()
    }
  }

  const hearNews = (news: News) => {
    const own = news.node === node ? calls.find(({ number }) => number === news.call) : undefined
    // Of one's own calls that are answered there is nothing new.
    if (news.node === node && own === undefined) return
    const order = own && [...Map.groupBy(own.items, ({ log }) => log).values()].flat()
    for (const { name, position, index, head, rest } of news.items) {
      const log = logs.get(name)
      if (log === undefined) continue
      const item = order?.[index]
      // Where replicas are waited for, the answer to the call says how many have it.
      if (item !== undefined && options.replicas > 0) continue
      if (item !== undefined) item.isTold = true
      log.hear({ position, head, rest, draft: item?.owner, replicas: undefined })
    }
  }

  // ---- Away and back.

  const away = () => new CodedError('storage_unavailable', undefined, RETRY_AFTER_MS)

  const appendWhileAway = (log: AnyLog, draft: D) => {
    const { subject } = log
    if (options.mode === 'strict' || draft.mustBeStored) return listener.refused(subject, away(), draft)
    if (draft.remembered) {
      const known = held.find(log.name, draft.envelope)
      if (known !== undefined) {
        // What was under way when Redis went has no known outcome before it is back.
        if (known.isUnknown) return listener.refused(subject, away(), draft)
        if (contentPrint(known.item.draft!.envelope) !== contentPrint(draft.envelope))
          return listener.refused(subject, new CodedError('id_conflict', { id: draft.envelope.id }), draft)
        return listener.repeated(subject, undefined, draft)
      }
    }
    const bytes = bytesOf(draft)
    if (!held.hasRoom(bytes)) {
      const full = new CodedError('storage_unavailable', { limit: 'redis_held_bytes' }, RETRY_AFTER_MS)
      return listener.refused(subject, full, draft)
    }
    held.add({ log, draft, owner: undefined, bytes, isTold: false })
    listener.held(subject, draft)
  }

  /** Everything that was under way or waited becomes what is held, in order. */
  const goAway = () => {
    isReloading = false
    compareAt = Number.POSITIVE_INFINITY
    const pending = calls
    const waiting = queue
    calls = []
    queue = []
    queueBytes = 0
    unseen = new Set()
    for (const { number, items, isRefused } of pending) {
      for (const item of items) {
        if (item.isTold) continue
        if (isRefused) takeBack(item)
        else giveUp(item, number)
      }
    }
    for (const item of waiting) takeBack(item)
    for (const log of logs.values()) log.away()
  }

  /** It was not done. */
  const takeBack = (item: Item<Subject, D>) => {
    if (item.owner === undefined) held.add(item)
    else if (item.log.isClosed) listener.refused(item.log.subject, new CodedError('channel_not_found'), item.owner)
    else appendWhileAway(item.log, item.owner)
  }

  /** Nobody knows whether it was done: Redis says so when it is back. */
  const giveUp = (item: Item<Subject, D>, call: number) => {
    held.add({ ...item, owner: undefined }, call)
    if (item.owner !== undefined) {
      listener.refused(item.log.subject, new CodedError('outcome_unknown', undefined, RETRY_AFTER_MS), item.owner)
    }
  }

  link.use({
    async prepare(connections) {
      const { commands } = connections
      await Promise.all([loadScripts(commands), nameBus(connections)])
      generation++
      const last = await callScript<string>(commands, scripts.fence, [fenceKey], [generation, SLACK_MS])
      held.forgetDone(Number(last === '' ? 0 : last))
      await subscribe(connections, new Set([...logs.keys()].map(newsChannelOf)))
    },
    ready() {
      const connections = link.connections!
      const items = held.takeAll()
      for (const item of items) queueBytes += item.bytes
      queue = [...items, ...queue]
      // Ahead of the first messages on the same connection.
      compare(connections)
      compareAt = performance.now() + COMPARE_FIRST_MS
      flush()
    },
    away: goAway,
    heard: (_channel, message) => hearNews(newsIn(message)),
  })

  /** All nodes on one Redis are one bus. */
  const nameBus = async ({ commands }: Connections): Promise<void> => {
    const key = keyOf('@bus')
    await commands.set(key, identity, 'NX')
    identity = (await commands.get(key)) ?? identity
  }

  const host: LogHost<Subject, D> = {
    now: clock.now,
    isAway: () => !link.isReady,
    append(log, draft) {
      if (log.isClosed) return listener.refused(log.subject, new CodedError('channel_not_found'), draft)
      if (!link.isReady) return appendWhileAway(log, draft)
      enqueue({ log, draft, owner: draft, bytes: bytesOf(draft), isTold: false })
    },
    appended: ({ subject }, entry, { draft, replicas }) => listener.appended(subject, entry, draft, replicas),
    settled({ subject }, { position, draft, replicas }) {
      if (draft !== undefined) listener.confirmed(subject, position, draft, replicas)
    },
    broke: (log, gap) => listener.broke(log.subject, log, gap),
    look: (log, at) =>
      ask(async ({ commands }) => {
        const { stream, head } = keysOf(log)
        const args = ['begin', now(), told(), ...lookArgs(log, at)]
        return seenIn(await callScript<string[]>(commands, scripts.look, [stream, head], args), 0)!
      }),
    read: (log, query) =>
      ask(async ({ reads }) => {
        const { stream, head } = keysOf(log)
        const answer = await callScript<string[]>(
          reads,
          scripts.read,
          [stream, head],
          [now(), told(), log.options.ttlMs, ...placeOf(query), query.limit, query.maxBytes],
        )
        return pageIn(answer)
      }),
    kept(log, messages, bytes) {
      atHand = { messages: atHand.messages + messages, bytes: atHand.bytes + bytes }
      tails.delete(log)
      if (messages >= 0) tails.add(log)
      if (atHand.bytes > options.tailBytes) tails.values().next().value?.forget()
    },
    closed(log, isDeleted) {
      if (logs.get(log.name) === log) logs.delete(log.name)
      unseen.delete(log)
      tails.delete(log)
      leave(newsChannelOf(log.name))
      if (!isDeleted) return
      const item: Item<Subject, D> = { log, draft: undefined, owner: undefined, bytes: 0, isTold: false }
      if (link.isReady) enqueue(item)
      else held.add(item)
    },
  }

  const leave = (channel: string) => {
    const count = (channels.get(channel) ?? 0) - 1
    if (count > 0) return void channels.set(channel, count)
    channels.delete(channel)
    link.connections?.news.sunsubscribe(channel).catch(() => {})
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
      return queueBytes > options.queueBytes
    },
    durability: () => (link.isReady ? link.guarantees.level : 'memory'),
    replicas: () => (link.isReady ? Math.min(options.replicas, link.guarantees.replicas) : 0),
    listen: (one) => {
      listener = one
    },
    open(key, subject, logOptions) {
      const log: AnyLog = new RedisLog(host, key, subject, logOptions)
      logs.set(key, log)
      const channel = newsChannelOf(key)
      channels.set(channel, (channels.get(channel) ?? 0) + 1)
      if (link.isReady) {
        unseen.add(log)
        flushSoon()
      }
      return log
    },
    sweep() {
      const { connections } = link
      if (connections === undefined || performance.now() < compareAt) return
      compareAt = performance.now() + COMPARE_MS
      connections.commands.pexpire(fenceKey, SLACK_MS).catch(() => {})
      compare(connections)
    },
    usage: () => ({
      ...atHand,
      dedupBytes: 0,
      heldMessages: held.size + (link.isReady ? queue.length : 0),
      heldBytes: held.bytes + queueBytes,
    }),
    close: () => link.close(),
  }
}

/** When to try again what was refused because Redis is away. */
const RETRY_AFTER_MS = 1000

/** True for an answer of Redis, as opposed to the lack of one. */
const isReply = (problem: unknown): boolean => problem instanceof Error && problem.name === 'ReplyError'

/** What a message takes while it waits: its text, and the objects around it. */
const bytesOf = ({ envelope: { head, body } }: Draft): number => head.length + body.length + 256

/** What `read.lua` calls a query: a direction, and where it begins. */
function placeOf({ after, before, from }: ReadQuery): [direction: string, position: string] {
  if (before !== undefined) return ['before', `${before.ms}-${Math.max(0, before.n)}`]
  if (after !== undefined) return ['after', after.n < 0 ? '' : `${after.ms}-${after.n}`]
  return [from === 'newest' ? 'before' : 'after', '']
}

/** The use of Redis by the logs from one connect to the next failure: calls of the scripts, and what is announced. */
import { type Position, positionText, TOMBSTONE_BODY } from '@arqonbus/protocol'
import { stackText } from '../../kit/text.ts'
import { isReply, nameOfFault, outcomeOf, UnreadableReply } from '../../redis/faults.ts'
import { newsChannelOf, type RecordPlace } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import type { Draft, ReadQuery } from '../contract.ts'
import {
  type AppendCall,
  type AppendReply,
  type CallNumber,
  type Damaged,
  type Inspected,
  type Question,
  type StoredLog,
  StoreFault,
  type StorePage,
  type StoreSession,
} from '../remote/remote-store.ts'
import type { Announcements } from './announcements.ts'
import type { Fingerprints } from './fingerprints.ts'
import { waitBehind } from './replication.ts'
import { placeOf, SLACK_MS, type Words } from './script-args.ts'
import { appendsIn, deletedIn, fencedIn, looksIn, pageIn, redactedIn } from './script-replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'
import type { RedisLogStoreOptions } from './store-options.ts'

/** What a session needs. */
type SessionDeps = RedisLogStoreOptions & {
  readonly words: Words
  readonly announcements: Announcements
  readonly prints: () => Fingerprints
}

/** No append-only file looks like this: during a rewrite nothing is `disk`. */
const UNSETTLED = '-'

/** A session of the store in Redis. */
export class RedisSession implements StoreSession {
  readonly #deps: SessionDeps
  readonly #connections: Connections

  constructor(deps: SessionDeps, connections: Connections) {
    this.#deps = deps
    this.#connections = connections
  }

  readonly announcements = {
    subscribed: (names: Iterable<string>): Promise<unknown> =>
      this.#calling(() => this.#deps.announcements.subscribed(this.#connections, names)),
    // Redis replies behind what it has announced on the same connection.
    flushed: (): Promise<void> => this.#calling(async () => void (await this.#connections.news.ping())),
  }

  /** Leaves a channel of announcements. */
  leave(channel: string): void {
    this.#connections.news.sunsubscribe(channel).catch((problem) => this.end(problem))
  }

  fence(generation: number): Promise<number> {
    const { words } = this.#deps
    return this.#calling(async () => {
      const { commands } = this.#connections
      return fencedIn(await callScript(commands, scripts.fence, [words.fenceKey], [generation, SLACK_MS]), generation)
    })
  }

  append(call: AppendCall): Promise<AppendReply> {
    return this.#calling(async () => {
      const { commands } = this.#connections
      const { keys, args } = this.#appendArgs(call)
      const [reply, behind] = await Promise.all([
        callScript(commands, scripts.append, keys, args),
        waitBehind(commands, this.#deps),
      ])
      const counts = Array.from(call.byLog.values(), ({ length }) => length)
      const done = appendsIn(reply, { number: call.number, counts, level: call.level, behind })
      // What Redis promises has changed: it is asked again, soon.
      if (done.level !== call.level) this.#deps.link.lookAgain()
      return done
    })
  }

  delete(log: StoredLog, { generation, number }: CallNumber): Promise<number> {
    const { words } = this.#deps
    return this.#calling(async () => {
      const keys = [words.fenceKey, ...words.keysOf(log)]
      const args = [generation, number, words.time(), words.keepOf(log.options), ...words.knownOf(log)]
      return deletedIn(await callScript(this.#connections.commands, scripts.delete, keys, args), number)
    })
  }

  inspect(questions: readonly Question[], begin: boolean): Promise<readonly Inspected[]> {
    const { words } = this.#deps
    return this.#asking(async () => {
      const word = words.question()
      const keys = questions.flatMap(({ log }) => words.keysOf(log).slice(0, 2))
      const head = [word, begin ? 'begin' : '', words.now(), words.time()]
      const args = questions.flatMap((question) => words.lookOf(question))
      const reply = await callScript(this.#connections.commands, scripts.look, keys, [...head, ...args])
      return looksIn(reply, word, questions.length)
    })
  }

  read(log: StoredLog, query: ReadQuery): Promise<StorePage | Damaged> {
    const { words } = this.#deps
    return this.#asking(async () => {
      const keys = [...words.keysOf(log).slice(0, 2), words.deletedOf(log)]
      const { size, ttlMs } = log.options
      const word = words.question()
      const kept = [word, words.now(), words.time(), size, ttlMs]
      const args = [...kept, ...placeOf(query), query.limit, query.maxBytes, TOMBSTONE_BODY]
      return pageIn(await callScript(this.#connections.reads, scripts.read, keys, args), word)
    })
  }

  redact(log: StoredLog, position: Position): Promise<boolean | Damaged> {
    const { words, node } = this.#deps
    return this.#asking(async () => {
      const keys = [...words.keysOf(log).slice(0, 2), words.deletedOf(log)]
      const { size, ttlMs } = log.options
      const word = words.question()
      const kept = [word, words.now(), words.time(), size, ttlMs, words.keepOf(log.options)]
      const args = [...kept, positionText(position), newsChannelOf(log.name), node, log.name]
      return redactedIn(await callScript(this.#connections.commands, scripts.redact, keys, args), word)
    })
  }

  restore(): Promise<void> {
    return this.#calling(() => loadScripts(this.#connections.commands))
  }

  /**
   * A closed log keeps its keys for a shorter time than an open one. A node that still has it open extends that in
   * time.
   */
  release(log: StoredLog): void {
    const { words } = this.#deps
    this.#expire(words.keysOf(log), words.keepClosed(log.options))
  }

  /** Without its fence, the node counts as one that has not called yet. */
  keep(): void {
    this.#expire([this.#deps.words.fenceKey], SLACK_MS)
  }

  end(problem: unknown): void {
    this.#deps.link.drop(this.#connections, problem)
  }

  #expire(keys: readonly string[], ms: number): void {
    const kept = Promise.all(keys.map((key) => this.#connections.commands.pexpire(key, ms)))
    kept.catch((problem) => this.end(problem))
  }

  #appendArgs({ byLog, generation, number, level }: AppendCall) {
    const { words, node, dedupWindowMs, records, eventQueues, link, prints } = this.#deps
    // On the same connection: what is sent here first is executed first.
    const needed = records?.ahead(byLog.keys().map(({ name }) => name))
    const keys = [words.fenceKey]
    const settled = level === 'disk' ? link.guarantees.settledAs || UNSETTLED : ''
    const args: (string | number)[] = [node, generation, number, words.now(), words.time(), dedupWindowMs, settled]
    for (const [log, items] of byLog) {
      keys.push(...words.keysOf(log))
      args.push(log.name, newsChannelOf(log.name), log.options.size, log.options.ttlMs, words.keepOf(log.options))
      args.push(...words.knownOf(log), messagesText(items, prints()))
      args.push(needed === undefined ? '' : placesText(needed.get(log.name) ?? []), eventQueues?.of(log) ?? '')
      args.push(log.options.maxBytes ?? '')
    }
    return { keys, args }
  }

  /** A question changes nothing, and can be repeated: it is, where the scripts were not there. */
  #asking<Reply>(question: () => Promise<Reply>): Promise<Reply> {
    return this.#calling(async () => {
      try {
        return await question()
      } catch (problem) {
        if (outcomeOf(problem) !== 'reload') throw problem
      }
      await loadScripts(this.#connections.commands)
      return question()
    })
  }

  async #calling<Reply>(call: () => Promise<Reply>): Promise<Reply> {
    try {
      return await call()
    } catch (problem) {
      throw this.#faultOf(problem)
    }
  }

  #faultOf(problem: unknown): StoreFault {
    const outcome = outcomeOf(problem)
    const isOddReply = isReply(problem) && outcome === 'unknown'
    // A reply that no rule here knows is a fault of ours, or of what somebody else has put under our keys.
    if (isOddReply || problem instanceof TypeError || problem instanceof UnreadableReply)
      this.#deps.logger.error({ event: 'redis_call_failed', error: stackText(problem).slice(0, 1000) })
    return new StoreFault({
      outcome: outcome === 'reload' ? 'again' : outcome,
      code: nameOfFault(problem),
      // Where the call itself is at fault, the connection is not.
      endsSession: outcome === 'refused' || (outcome === 'unknown' && !isOddReply),
      cause: problem,
    })
  }
}

/** Where the records are that a log needs, as `append.lua` takes them. */
const placesText = (places: readonly RecordPlace[]): string =>
  places.map(([key, field]) => `${key}\x1f${field}${END}`).join('')

/** Ends a part of the text for `append.lua`; JSON does not contain it. */
const END = '\x1e'

/**
 * The messages of one log as `append.lua` takes them, in one text: a text for each part took a sixth of all the time
 * that a stored message takes here.
 */
function messagesText(items: readonly { readonly draft: Draft | undefined }[], prints: Fingerprints): string {
  const pieces: string[] = []
  for (const { draft } of items) {
    const { envelope, deduplicated } = draft!
    pieces.push(deduplicated ? prints.of(envelope) : '', END, envelope.prefix, END, envelope.suffix, envelope.glue, END)
  }
  return pieces.join('')
}

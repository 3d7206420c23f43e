/** One queue in Redis, as this node uses it. */
import { parsePosition } from '@arqonbus/protocol'
import { onceATurn } from '../kit/once-a-turn.ts'
import { textBytes } from '../kit/text.ts'
import { entryOf } from '../log/remote/encoded-parts.ts'
import { UnreadableReply } from '../redis/faults.ts'
import {
  EVENT_BYTES,
  type EventQueue,
  type NewEvent,
  type QueuedEvent,
  type QueueOptions,
  QueueUnreachable,
  type TakeLimit,
} from './event-queue.ts'
import { eventText } from './event-text.ts'
import { type CallQueue, queueScripts } from './queue-scripts.ts'

/** What a queue is created with, beside its limits. */
export type RedisQueueOptions = QueueOptions & {
  /** The id of the webhook. */
  readonly id: string
  /** What its keys begin with. */
  readonly name: string
  readonly node: string
  readonly call: CallQueue
  readonly isReachable: () => boolean
  /** It is not used any more. */
  readonly closed: () => void
}

/** A node that has a lease and renews it no more ends within this; another node delivers then. */
const LEASE_MS = 3000

/** Events of one call, and their bytes. */
const MOST_EVENTS = 100
const MOST_BYTES = 256 * 1024

/** The fields of an answer of `take.lua` before the events, and those of each event. */
const HEAD_FIELDS = 4
const EVENT_FIELDS = 7

/** An event that Redis has not confirmed. */
type Unstored = { readonly text: string; readonly bytes: number; readonly dropped: number }

/** The queue. */
export class RedisQueue implements EventQueue {
  readonly #options: RedisQueueOptions
  readonly #keys: readonly [stream: string, meta: string, lease: string]
  /** On their way to Redis, the first `#sent` of them; or waiting for it. */
  #unstored: Unstored[] = []
  #unstoredBytes = 0
  #sent = 0
  /** Counts up when the connection is lost: what was sent before is sent again. */
  #era = 0
  /** Dropped here since the last event that fitted. */
  #missing = 0
  /** What Redis has, as of the last answer. */
  #stored = { events: 0, bytes: 0 }
  #isLooking = false
  #isElsewhere = false
  readonly #sending = new Set<Promise<void>>()
  readonly #flushSoon = onceATurn(() => this.#flush())

  constructor(options: RedisQueueOptions) {
    this.#options = options
    this.#keys = [`${options.name}:q`, `${options.name}:m`, `${options.name}:l`]
  }

  get size(): number {
    return this.#stored.events + this.#unstored.length
  }

  get bytes(): number {
    return this.#stored.bytes + this.#unstoredBytes
  }

  get isElsewhere(): boolean {
    return this.#isElsewhere
  }

  push({ text }: NewEvent): void {
    const { maxEvents, maxBytes, dropped } = this.#options
    const bytes = textBytes(text)
    if (this.#unstored.length >= maxEvents || this.#unstoredBytes + bytes + EVENT_BYTES > maxBytes) {
      this.#missing++
      return dropped(1)
    }
    this.#unstored.push({ text, bytes, dropped: this.#missing })
    this.#unstoredBytes += bytes + EVENT_BYTES
    this.#missing = 0
    this.#flushSoon()
  }

  async take({ events, bytes }: TakeLimit): Promise<readonly QueuedEvent[]> {
    const { call, id, node, dropped } = this.#options
    const reply = await call(queueScripts.take, this.#keys, [node, LEASE_MS, events, bytes], 'reads')
    const texts = Array.isArray(reply) ? reply.map(String) : []
    if (texts[0] !== '0' && texts[0] !== '1')
      throw new QueueUnreachable(new UnreadableReply('no page of a queue', reply))
    this.#isElsewhere = texts[0] === '0'
    if (this.#isElsewhere) {
      this.#stored = { events: 0, bytes: 0 }
      return []
    }
    this.#stored = { events: Number(texts[1]), bytes: Number(texts[2]) }
    const newlyDropped = Number(texts[3])
    if (newlyDropped > 0) dropped(newlyDropped)
    const taken: QueuedEvent[] = []
    for (let i = HEAD_FIELDS; i + EVENT_FIELDS <= texts.length; i += EVENT_FIELDS)
      taken.push(queuedEvent(id, texts.slice(i, i + EVENT_FIELDS)))
    return taken
  }

  async release(last: QueuedEvent): Promise<void> {
    const [at = '', total = ''] = last.at.split(' ')
    const [ms, n] = at.split('-')
    await this.#options.call(queueScripts.release, this.#keys.slice(0, 2), [`${ms}-${BigInt(n!) + 1n}`, total])
  }

  async clear(): Promise<number> {
    const { call, closed } = this.#options
    closed()
    // What is on its way is counted once: here, or there.
    await Promise.allSettled(this.#sending)
    const here = this.#unstored.length
    this.#forget()
    return here + Number(await call(queueScripts.clear, this.#keys, []))
  }

  async close(): Promise<number> {
    const { call, node, closed, isReachable } = this.#options
    closed()
    this.#flush()
    await Promise.allSettled(this.#sending)
    try {
      if (isReachable()) await call(queueScripts.leave, [this.#keys[2]], [node])
    } catch (problem) {
      // The lease ends by itself.
      if (!(problem instanceof QueueUnreachable)) throw problem
    }
    return this.#unstored.length
  }

  /** Redis can be reached. */
  ready(): void {
    this.away()
    this.#flush()
    this.#options.filled()
  }

  /** Redis cannot be reached: what was on its way may have arrived, and is sent again. */
  away(): void {
    this.#era++
    this.#sent = 0
  }

  /** Looks for events of other nodes; the lease is renewed by it. */
  look(): void {
    if (this.#isLooking || !this.#options.isReachable()) return
    if (this.#sent === 0) this.#flush()
    this.#isLooking = true
    this.take({ events: 0, bytes: 0 })
      .then(
        () => {
          if (this.#stored.events > 0) this.#options.filled()
        },
        () => {
          // What is wrong is reported where the call was made; the next look is soon.
        },
      )
      .finally(() => {
        this.#isLooking = false
      })
  }

  #forget(): void {
    this.away()
    this.#unstored = []
    this.#unstoredBytes = 0
    this.#stored = { events: 0, bytes: 0 }
  }

  #flush(): void {
    while (this.#options.isReachable() && this.#sent < this.#unstored.length) {
      let end = this.#sent
      for (let bytes = 0; end < this.#unstored.length && end - this.#sent < MOST_EVENTS; end++) {
        bytes += this.#unstored[end]!.bytes
        if (end > this.#sent && bytes > MOST_BYTES) break
      }
      const some = this.#unstored.slice(this.#sent, end)
      this.#sent = end
      const sending: Promise<void> = this.#send(some).finally(() => this.#sending.delete(sending))
      this.#sending.add(sending)
    }
  }

  async #send(some: readonly Unstored[]): Promise<void> {
    const { call, name, maxEvents, maxBytes, filled } = this.#options
    const era = this.#era
    try {
      const args = some.flatMap(({ dropped, bytes, text }) => [dropped, bytes, text])
      await call(queueScripts.push, this.#keys.slice(0, 2), [name, maxEvents, maxBytes, ...args])
    } catch (problem) {
      if (!(problem instanceof QueueUnreachable)) throw problem
      if (era === this.#era) this.away()
      return
    }
    if (era !== this.#era) return
    this.#unstored.splice(0, some.length)
    this.#sent -= some.length
    for (const { bytes } of some) this.#unstoredBytes -= bytes + EVENT_BYTES
    filled()
  }
}

/** An event as `take.lua` gives it. */
function queuedEvent(webhook: string, fields: readonly string[]): QueuedEvent {
  const [at, total, dropped, event, position, head, body] = fields as [string, ...string[]]
  const place = { at: `${at} ${total}`, dropped: Number(dropped) }
  if (event !== '') return { ...place, id: idIn(event!), text: event! }
  const { ms, n } = parsePosition(position!) ?? { ms: 0, n: 0 }
  const id = `evt_${webhook}_${at.replace('-', '_')}`
  const { text: data } = entryOf({ ms, n }, { prefix: head!, suffix: body!, glue: '' })
  return { ...place, id, text: eventText({ id, type: 'message.published', ms, data }) }
}

/** The id of an event that a node has written. */
const idIn = (text: string): string => /^\{"id":"([^"]*)"/.exec(text)?.[1] ?? ''

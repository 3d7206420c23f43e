/**
 * What waits for a store that is away, in the order in which it is to be done: first what was under way when it went,
 * then what came since.
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import type { Draft } from '../contract.ts'

/** Something that waits: a message for a log, or, without one, the deletion of the log. */
type Waiting = { readonly log: { readonly name: string }; readonly draft: Draft | undefined; readonly bytes: number }

/** One that waits, with the number of its call where that may have been executed. */
type Place<Item> = { readonly item: Item; readonly call: number | undefined }

/** What waits: at most `maxBytes`. */
export class OutageQueue<Item extends Waiting> {
  bytes = 0
  readonly #maxBytes: number
  #places: Place<Item>[] = []
  #byId = new Map<string, Place<Item>>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#places.length
  }

  hasRoom(bytes: number): boolean {
    return this.bytes + bytes <= this.#maxBytes
  }

  /** Adds one; with the number of its call where that may have been executed. */
  add(item: Item, call?: number): void {
    const { log, draft, bytes } = item
    const place = { item, call }
    this.#places.push(place)
    this.bytes += bytes
    if (draft?.deduplicated === true) this.#byId.set(keyOf(log.name, draft.envelope), place)
  }

  /** The message of that sender and id in a log, where it asked to be recognised. */
  find(log: string, envelope: ParsedEnvelope): Place<Item> | undefined {
    return this.#byId.get(keyOf(log, envelope))
  }

  /** The calls up to this number were executed, and no later one ever will be. */
  forgetDone(lastCall: number): void {
    for (const { item, call } of this.#clear()) if (call === undefined || call > lastCall) this.add(item)
  }

  /** Takes everything out. */
  takeAll(): Item[] {
    return this.#clear().map(({ item }) => item)
  }

  #clear(): Place<Item>[] {
    const all = this.#places
    this.#places = []
    this.#byId = new Map()
    this.bytes = 0
    return all
  }
}

/** Names have no line breaks. */
const keyOf = (log: string, { from, id }: ParsedEnvelope): string => `${log}\n${from}\n${id}`

/** What waits for a Redis that is away, in the order in which it is to be done: first what was under way when it went, then what came since. */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import type { Draft } from '../contract.ts'

/** Something that waits: a message for a log, or, without one, the deletion of the log. */
type Waiting = { readonly log: { readonly name: string }; readonly draft: Draft | undefined; readonly bytes: number }

/** One that waits. `isUnknown` is true where it may have been done already. */
type Place<Item> = { readonly item: Item; readonly isUnknown: boolean; readonly call: number }

/** What waits. */
export type OutageQueue<Item> = {
  readonly size: number
  readonly bytes: number
  hasRoom(bytes: number): boolean
  /** Adds one; with the number of its call where that may have been done. */
  add(item: Item, call?: number): void
  /** The message of that sender and id in a log, where it asked to be recognised. */
  find(log: string, envelope: ParsedEnvelope): Place<Item> | undefined
  /** The calls up to this number were done, and no later one ever will be. */
  forgetDone(lastCall: number): void
  /** Takes everything out. */
  takeAll(): Item[]
}

/** Nothing; at most so many bytes. */
export function createOutageQueue<Item extends Waiting>(maxBytes: number): OutageQueue<Item> {
  let places: Place<Item>[] = []
  let byId = new Map<string, Place<Item>>()
  let bytes = 0
  const put = (place: Place<Item>) => {
    const { log, draft } = place.item
    places.push(place)
    bytes += place.item.bytes
    if (draft?.deduplicated === true) byId.set(keyOf(log.name, draft.envelope), place)
  }
  const clear = (): Place<Item>[] => {
    const all = places
    places = []
    byId = new Map()
    bytes = 0
    return all
  }
  return {
    get size() {
      return places.length
    },
    get bytes() {
      return bytes
    },
    hasRoom: (more) => bytes + more <= maxBytes,
    add: (item, call) => put({ item, isUnknown: call !== undefined, call: call ?? 0 }),
    find: (log, envelope) => byId.get(keyOf(log, envelope)),
    forgetDone(lastCall) {
      for (const place of clear()) {
        if (place.isUnknown && place.call <= lastCall) continue
        put({ ...place, isUnknown: false })
      }
    },
    takeAll: () => clear().map(({ item }) => item),
  }
}

/** Names have no line breaks. */
const keyOf = (log: string, { from, id }: ParsedEnvelope): string => `${log}\n${from}\n${id}`

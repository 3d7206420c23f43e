/** What clients say of themselves in presence: for one channel or room, or for all of them. */
import { CodedError } from '@arqonbus/protocol'
import type { Place } from './place.ts'

/** The statuses of one client, as they were written. */
type OfClient = { everywhere: string | undefined; readonly byPlace: Map<Place, string> }

/** What a status takes beside its text. */
const STATUS_BYTES = 200
/** When there may be room again: a guess, since it depends on others. */
const RETRY_AFTER_MS = 5000

/** The statuses of all clients, and the bound on what presence keeps. */
export class Statuses {
  readonly #maxBytes: number
  readonly #byClient = new Map<string, OfClient>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of all that is counted. */
  get bytes(): number {
    return this.#bytes
  }

  /** True where a client has a status. */
  has(clientId: string): boolean {
    return this.#byClient.has(clientId)
  }

  /** The status of a client in a place. */
  of(clientId: string, place: Place): string | undefined {
    const own = this.#byClient.get(clientId)
    return own?.byPlace.get(place) ?? own?.everywhere
  }

  /** Sets a status, for a place or everywhere; undefined takes it away. `rate_limited` where there is no memory for it. */
  set(clientId: string, place: Place | undefined, text: string | undefined): void {
    const known = this.#byClient.get(clientId)
    const before = place === undefined ? known?.everywhere : known?.byPlace.get(place)
    this.reserve((text === undefined ? 0 : bytesOf(text)) - (before === undefined ? 0 : bytesOf(before)))
    const own = this.#byClient.getOrInsertComputed(clientId, () => ({ everywhere: undefined, byPlace: new Map() }))
    if (place === undefined) own.everywhere = text
    else if (text === undefined) own.byPlace.delete(place)
    else own.byPlace.set(place, text)
    if (own.everywhere === undefined && own.byPlace.size === 0) this.#byClient.delete(clientId)
  }

  /** Counts bytes of presence; `rate_limited` where there are too many. */
  reserve(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.#maxBytes)
      throw new CodedError('rate_limited', { limit: 'presence_bytes' }, RETRY_AFTER_MS)
    this.#bytes += bytes
  }

  /** Clears what a client has said of itself in a place; true where that was something. */
  clearIn(clientId: string, place: Place): boolean {
    if (this.#byClient.get(clientId)?.byPlace.has(place) !== true) return false
    this.set(clientId, place, undefined)
    return true
  }

  /** Clears everything that a client has said of itself, but for the places that it is in. */
  clear(clientId: string, isIn: (place: Place) => boolean, isConnected: boolean): void {
    const own = this.#byClient.get(clientId)
    if (own === undefined) return
    for (const place of [...own.byPlace.keys()]) if (!isIn(place)) this.set(clientId, place, undefined)
    if (!isConnected) this.set(clientId, undefined, undefined)
  }
}

const bytesOf = (text: string): number => text.length + STATUS_BYTES

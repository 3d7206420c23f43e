/** Clients whose connections have ended, and which may come back: for a while they are still shown where they were. */
import type { Place } from './place.ts'

/** One departure of a client, and the places that it has not come back to. */
type Departure = { readonly clientId: string; readonly places: Set<Place>; readonly until: number; isOver: boolean }

/** The departures. All are given the same time, so that the first one is the first whose time is over. */
export class DepartedClients {
  readonly #graceMs: number
  readonly #all = new Set<Departure>()
  readonly #byClient = new Map<string, Departure[]>()

  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  get size(): number {
    return this.#all.size
  }

  /** A client has left a place with its connection, at a moment of running time; without a place, the bus. */
  add(clientId: string, place: Place | undefined, now: number): void {
    const own = this.#byClient.getOrInsertComputed(clientId, () => [])
    let last = own.at(-1)
    if (last === undefined || last.isOver) {
      last = { clientId, places: new Set(), until: now + this.#graceMs, isOver: false }
      own.push(last)
      this.#all.add(last)
    }
    if (place !== undefined) last.places.add(place)
  }

  /** It has connected again: when it leaves next, it is given the whole time. */
  connected(clientId: string): void {
    const last = this.#all.size === 0 ? undefined : this.#byClient.get(clientId)?.at(-1)
    if (last !== undefined) last.isOver = true
  }

  /** It is back in a place. */
  returned(clientId: string, place: Place): void {
    for (const { places } of this.#of(clientId)) places.delete(place)
  }

  /** Whether it is still shown somewhere, or in a place. */
  has(clientId: string, place?: Place): boolean {
    return this.#of(clientId).some(({ places }) => place === undefined || places.has(place))
  }

  /** It will not come back. Returns where it was; undefined where it is not known. */
  remove(clientId: string): ReadonlySet<Place> | undefined {
    const own = this.#byClient.get(clientId)
    if (own === undefined) return undefined
    for (const departure of own) this.#all.delete(departure)
    this.#byClient.delete(clientId)
    return new Set(own.flatMap(({ places }) => [...places]))
  }

  /** Takes out those whose time is over. */
  takeOver(now: number): readonly Departure[] {
    const over: Departure[] = []
    for (const departure of this.#all) {
      if (departure.until > now) break
      over.push(departure)
      this.#all.delete(departure)
      const rest = this.#of(departure.clientId).filter((one) => one !== departure)
      if (rest.length === 0) this.#byClient.delete(departure.clientId)
      else this.#byClient.set(departure.clientId, rest)
    }
    return over
  }

  #of(clientId: string): Departure[] {
    return this.#all.size === 0 ? [] : (this.#byClient.get(clientId) ?? [])
  }
}

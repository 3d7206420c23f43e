import { type Address, addressText, parseAddress, WHOLE_ROOM } from '@arqonbus/protocol/names'
import type { JoinEntry, JoinParameters, JoinResult } from './recovery.ts'

/** What the application has asked of a subscription: it is asked for again on each connection. */
export type SubscriptionOptions = Pick<JoinParameters, 'delivery' | 'presence' | 'invisible'>

/** The addresses that the application has joined, across all connections, and which of them are private channels. */
export class JoinedChannels {
  /** By `room:channel`. */
  readonly addresses = new Map<string, Address>()
  readonly #options = new Map<string, SubscriptionOptions>()
  /** Joins whose snapshot has not been delivered yet. */
  readonly #snapshots = new Set<string>()
  /** Channels that were private when they were last joined, also those that were left. */
  readonly #privates = new Set<string>()
  /** The private channels that are joined on this connection. */
  readonly #proven = new Set<string>()

  /** A join has succeeded: what it did not say stays as it was. */
  add(text: string, address: Address, { delivery, presence, invisible, snapshot }: JoinParameters): void {
    this.addresses.set(text, address)
    const said = Object.entries({ delivery, presence, invisible }).filter(([, value]) => value !== undefined)
    if (said.length > 0) this.#options.set(text, { ...this.#options.get(text), ...Object.fromEntries(said) })
    if (snapshot !== undefined) this.#snapshots.add(text)
  }

  remove(text: string): void {
    this.addresses.delete(text)
    this.#options.delete(text)
    this.#snapshots.delete(text)
  }

  /** The snapshot of a join has been delivered. */
  snapshotEnded(text: string): void {
    this.#snapshots.delete(text)
  }

  /** A join that is repeated asks for the same again. */
  withOptions(entry: JoinEntry): JoinEntry {
    const isWithoutSnapshot = entry.since !== undefined || !this.#snapshots.has(entry.channel)
    return { ...this.#options.get(entry.channel), ...(!isWithoutSnapshot && { snapshot: 'latest' }), ...entry }
  }

  /** True for a log whose messages a policy may leave out: that of its subscription, or of one to its room. */
  isSampled(log: string): boolean {
    const { room } = parseAddress(log) ?? {}
    const wholeRoom = room === undefined ? undefined : addressText({ room, channel: WHOLE_ROOM })
    return [log, wholeRoom].some((text) => {
      const delivery = text === undefined ? undefined : this.#options.get(text)?.delivery
      return delivery !== undefined && delivery !== 'all'
    })
  }

  list(): string[] {
    return [...this.addresses.keys()]
  }

  /**
   * True for a private channel that is not yet joined again on this connection: a restarted bus may not know it, and a
   * publish to it would create an open channel of its name.
   */
  isUnproven(text: string): boolean {
    return this.addresses.has(text) && this.#privates.has(text) && !this.#proven.has(text)
  }

  /** A channel that was private is not joined if it has become an open one. */
  withType(entry: JoinEntry): JoinEntry {
    return this.#privates.has(entry.channel) ? { type: 'private', ...entry } : entry
  }

  /** Records the type of a channel that a join reported. Returns whether that ends an `isUnproven`. */
  noteType(text: string, { type }: JoinResult): boolean {
    if (type !== 'private') {
      if (type !== undefined) this.#privates.delete(text)
      return false
    }
    const wasUnproven = this.isUnproven(text)
    this.#privates.add(text)
    this.#proven.add(text)
    return wasUnproven
  }

  /** The channel was replaced: the next join accepts any type. Returns whether it was private. */
  forgetType(text: string): boolean {
    return this.#privates.delete(text)
  }

  /** The connection was lost: the next one has joined no private channel yet. */
  connectionLost(): void {
    this.#proven.clear()
  }
}

import type { Address } from '@arqonbus/protocol/names'
import type { JoinEntry, JoinResult } from './recovery.ts'

/** The addresses that the application has joined, across all connections, and which of them are private channels. */
export class JoinedChannels {
  /** By `room:channel`. */
  readonly addresses = new Map<string, Address>()
  /** Channels that were private when they were last joined, also those that were left. */
  readonly #privates = new Set<string>()
  /** The private channels that are joined on this connection. */
  readonly #proven = new Set<string>()

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

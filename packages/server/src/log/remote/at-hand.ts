/**
 * What this node has at hand of all logs of a driver (`tail.ts`), bounded in bytes: the log that got something longest
 * ago is forgotten first.
 */

/** A log that has something at hand. `forget` reports what that was by `forgot`. */
type Holder = { forget(): void }

/** The bytes and messages at hand. */
export class AtHand {
  messages = 0
  bytes = 0
  readonly #mostBytes: number
  /** The one that got something longest ago first. */
  readonly #holders = new Set<Holder>()
  /** The one that got something last: it is at the end of the holders already. */
  #newest: Holder | undefined

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** A log got something: so much more is at hand of it. */
  kept(log: Holder, messages: number, bytes: number): void {
    this.messages += messages
    this.bytes += bytes
    if (log !== this.#newest) {
      this.#holders.delete(log)
      this.#holders.add(log)
      this.#newest = log
    }
    if (this.bytes <= this.#mostBytes) return
    for (const oldest of this.#holders) {
      oldest.forget()
      if (this.bytes <= this.#mostBytes) break
    }
  }

  /** Nothing of a log is at hand any more; it was so much. */
  forgot(log: Holder, messages: number, bytes: number): void {
    this.messages -= messages
    this.bytes -= bytes
    this.#holders.delete(log)
    if (log === this.#newest) this.#newest = undefined
  }
}

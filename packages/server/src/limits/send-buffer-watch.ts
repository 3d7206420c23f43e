/**
 * Finds the connections whose send buffers are full, for what owns the connections: it reports them, so that nothing
 * else has to look.
 *
 * The runtime says only that some connection could not take a text at once. From then on all of them are looked at, at
 * short intervals, and once a second anyway. A look comes when the work that sent the texts is done: a connection that
 * is reported has got all of it.
 */
import type { Clock } from '../kit/clock.ts'
import { onceATurn } from '../kit/once-a-turn.ts'

/** The limits that a watch keeps. */
export type BufferLimits = {
  /** A connection with more bytes in its send buffer than this is full. Asked at each look: it falls with the total. */
  softLimit(): number
  /** So many bytes of one connection may be added between two looks. */
  readonly unseenBytes: number
  /** So many bytes of all connections together may be added between two looks. */
  readonly unseenBytesOfAll: number
}

/** Gets what was found: the bytes that wait in all send buffers, and the connections that are full. */
export type BufferReport<Connection> = (bytes: number, full: readonly Connection[]) => void

/** What a watch needs. */
type WatchDeps<Connection> = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly limits: BufferLimits
  readonly connections: () => Iterable<Connection>
  readonly bytesOf: (connection: Connection) => number
  /** A count that grows with whatever is sent. */
  readonly sent: () => number
  readonly report: BufferReport<Connection>
}

/** While some connection does not keep up, all are looked at at least this often. */
const LOOK_EVERY_MS = 50

/** Watches the send buffers of one kind of connection. */
export class SendBufferWatch<Connection> {
  readonly #deps: WatchDeps<Connection>
  /**
   * Bytes that were late since the last look, of one copy of each text, and of all copies: every connection may be a
   * slow one.
   */
  #unseen = 0
  #unseenOfAll = 0
  readonly #askLook = onceATurn(() => this.#lookIfDue(), queueMicrotask)
  #lookedAt = 0
  /** What was sent until the last look by the clock, and whether it showed that nothing waits. */
  #sent = -1
  #isQuiet = false

  constructor(deps: WatchDeps<Connection>) {
    this.#deps = deps
  }

  /** Some of so many connections did not take a text at once. */
  late(text: string, copies: number): void {
    const bytes = Buffer.byteLength(text)
    this.#unseen += bytes
    this.#unseenOfAll += bytes * copies
    this.#askLook()
  }

  /**
   * A look by the clock. Where nothing was sent between two of them, and nothing waited at the second, nothing waits
   * until something is sent: the connections need not be asked. One look is not enough, because the runtime writes what
   * was published when the tick is over.
   */
  tick(): void {
    const before = this.#sent
    this.#sent = this.#deps.sent()
    if (this.#sent !== before) {
      this.#isQuiet = false
      this.#look()
    } else if (!this.#isQuiet) this.#isQuiet = this.#look() === 0
  }

  #lookIfDue(): void {
    const { limits, clock } = this.#deps
    const isMuch = this.#unseen >= limits.unseenBytes || this.#unseenOfAll >= limits.unseenBytesOfAll
    if (isMuch || clock.monotonic() - this.#lookedAt >= LOOK_EVERY_MS) this.#look()
  }

  /** Reports what waits, and returns its bytes. */
  #look(): number {
    const { clock, limits, connections, bytesOf, report } = this.#deps
    this.#unseen = 0
    this.#unseenOfAll = 0
    this.#lookedAt = clock.monotonic()
    const limit = limits.softLimit()
    const full: Connection[] = []
    let bytes = 0
    for (const connection of connections()) {
      const waiting = bytesOf(connection)
      bytes += waiting
      if (waiting > limit) full.push(connection)
    }
    report(bytes, full)
    return bytes
  }
}

/**
 * The proof that nothing was lost, doubled or turned round: for every pair of subscriber and publisher the sequence
 * that must come next. It costs one array cell a delivery.
 */
export interface Ledger {
  delivered(subscriber: number, publisher: number, sequence: number): void
  /** The `n` of a delivery's position; positions must rise by one on each subscriber. */
  numbered(subscriber: number, n: number): void
  /** A payload came otherwise than it was sent. */
  damaged(): void
  /** A connection was closed that nobody closed here. */
  closed(): void
  total(): number
  /** After the last delivery; `sent` holds how many messages each publisher has sent. */
  audit(sent: readonly number[]): Audit
}

export interface Audit {
  /** Deliveries that never came. */
  lost: number
  /** Deliveries that came again or after a later one. */
  doubled: number
  /** Positions that did not follow on the one before. */
  misnumbered: number
  /** Payloads, of those sampled, that were not byte for byte what was sent. */
  damaged: number
  /** Connections closed by the server. */
  closed: number
}

export function createLedger(subscribers: number, publishers: number): Ledger {
  const expected = new Uint32Array(subscribers * publishers)
  const lastN = new Float64Array(subscribers)
  let total = 0
  let lost = 0
  let doubled = 0
  let misnumbered = 0
  let damaged = 0
  let closed = 0

  return {
    delivered(subscriber, publisher, sequence) {
      total++
      const cell = subscriber * publishers + publisher
      const next = expected[cell]!
      if (sequence === next) {
        expected[cell] = next + 1
      } else if (sequence > next) {
        lost += sequence - next
        expected[cell] = sequence + 1
      } else doubled++
    },
    numbered(subscriber, n) {
      if (lastN[subscriber] !== 0 && lastN[subscriber]! + 1 !== n) misnumbered++
      if (n === 0) misnumbered++
      lastN[subscriber] = n
    },
    damaged: () => damaged++,
    closed: () => closed++,
    total: () => total,
    audit(sent) {
      let missing = 0
      for (let cell = 0; cell < expected.length; cell++) missing += sent[cell % publishers]! - expected[cell]!
      return { lost: lost + missing, doubled, misnumbered, damaged, closed }
    },
  }
}

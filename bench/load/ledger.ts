/**
 * The proof that no message was lost, repeated or reordered: for every pair of subscriber and publisher the next
 * expected sequence number. It costs one array cell per delivery.
 */
export interface Ledger {
  delivered(subscriber: number, publisher: number, sequence: number): void
  /** Records the `n` of a delivery's position; positions must rise by one on each subscriber. */
  numbered(subscriber: number, n: number): void
  /** Records a payload that was changed. */
  damaged(): void
  /** Records a connection that the load itself did not close. */
  closed(): void
  total(): number
  /** Called after the last delivery; `sent` is the number of messages of each publisher. */
  audit(sent: readonly number[]): Audit
}

export interface Audit {
  /** Deliveries that are missing. */
  lost: number
  /** Deliveries that were repeated, or arrived after a later one. */
  doubled: number
  /** Positions that did not follow the previous one. */
  misnumbered: number
  /** Sampled payloads that differ from what was sent. */
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

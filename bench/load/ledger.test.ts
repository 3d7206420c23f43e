import { expect, test } from 'bun:test'
import { createLedger, type Ledger } from './ledger.ts'

const clean = { lost: 0, doubled: 0, misnumbered: 0, damaged: 0, closed: 0 }

test('a delivery of every message once and in order is clean', () => {
  expect(audited((ledger) => deliver(ledger, 0, 1, 2, 3))).toEqual(clean)
})

test('a gap, a missing end, a duplicate and a swap are each detected', () => {
  expect(audited((ledger) => deliver(ledger, 0, 2, 3))).toMatchObject({ lost: 1 })
  expect(audited((ledger) => deliver(ledger, 0, 1, 2))).toMatchObject({ lost: 1 })
  expect(audited((ledger) => deliver(ledger, 0, 1, 1, 2, 3))).toMatchObject({ doubled: 1 })
  const swapped = audited((ledger) => deliver(ledger, 0, 2, 1, 3))
  expect(swapped.lost + swapped.doubled).toBeGreaterThan(0)
})

test('deliveries to one subscriber do not count for another', () => {
  const ledger = createLedger(2, 1)
  for (const sequence of [0, 1]) ledger.delivered(0, 0, sequence)
  expect(ledger.audit([2])).toMatchObject({ lost: 2 })
})

test('positions that do not rise by one, or are missing, are detected', () => {
  expect(audited((ledger) => number(ledger, 7, 8, 9))).toEqual(clean)
  expect(audited((ledger) => number(ledger, 7, 9))).toMatchObject({ misnumbered: 1 })
  expect(audited((ledger) => number(ledger, 7, 7))).toMatchObject({ misnumbered: 1 })
  expect(audited((ledger) => number(ledger, 0))).toMatchObject({ misnumbered: 1 })
})

/** The audit of one subscriber that should have received four messages, or of one whose messages are not checked. */
function audited(act: (ledger: Ledger) => void) {
  const ledger = createLedger(1, 1)
  act(ledger)
  return ledger.audit([ledger.total() === 0 ? 0 : 4])
}

function deliver(ledger: Ledger, ...sequences: number[]): void {
  for (const sequence of sequences) ledger.delivered(0, 0, sequence)
}

function number(ledger: Ledger, ...positions: number[]): void {
  for (const n of positions) ledger.numbered(0, n)
}

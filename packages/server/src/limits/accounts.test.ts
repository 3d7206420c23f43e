import { expect, test } from 'bun:test'
import { Accounts } from './accounts.ts'
import { takeFrom } from './bucket.ts'
import { Budget } from './budget.ts'

const rate = { perSecond: 10, burst: 5 }

function setUp() {
  let now = 0
  const accounts = new Accounts({ now: () => now, rates: { account: rate, address: rate, command: rate } })
  return {
    accounts,
    advance(ms: number) {
      now += ms
    },
    now: () => now,
  }
}

const client = (id: string) => ({ subject: undefined, id })

test('a client id of one address, and a subject wherever it comes from, have one account', () => {
  const { accounts } = setUp()
  const ann = accounts.of(client('ann'), '192.0.2.1')
  expect(accounts.of(client('ann'), '192.0.2.1')).toBe(ann)
  expect(accounts.of(client('bob'), '192.0.2.1')).not.toBe(ann)
  expect(accounts.of(client('bob'), '192.0.2.1').source).toBe(ann.source)
  expect(accounts.of(client('ann'), '192.0.2.2').source).not.toBe(ann.source)
  const subject = accounts.of({ subject: 'ann', id: 'ann--1' }, '192.0.2.1')
  expect(accounts.of({ subject: 'ann', id: 'ann--2' }, '192.0.2.9')).toBe(subject)
  expect(subject).not.toBe(ann)
  expect([subject.source.rate, ann.source.rate?.tokens]).toEqual([undefined, 5])
})

test('an IPv6 network of 64 bits is one source, and callers without a client id share an account of it', () => {
  const { accounts } = setUp()
  const [one, other] = [accounts.ofAddress('2001:db8::1'), accounts.ofAddress('2001:db8::2')]
  expect(one).toBe(other)
  expect(accounts.ofAddress('2001:db8:0:1::1')).not.toBe(one)
  expect(accounts.of(client('ann'), '2001:db8::3').source).toBe(one.source)
})

test('an account is forgotten only when its rates are full again, nothing of it is kept and it has no connection', () => {
  const { accounts, advance, now } = setUp()
  const budget = new Budget(100)
  const ann = accounts.of(client('ann'), '192.0.2.1')
  takeFrom(ann.rate!, rate, now(), 5)
  accounts.sweep()
  expect(accounts.of(client('ann'), '192.0.2.1')).toBe(ann)
  advance(500)
  budget.of(ann).add(1)
  accounts.sweep()
  expect(accounts.of(client('ann'), '192.0.2.1')).toBe(ann)
  budget.of(ann).remove(1)
  ann.clients++
  accounts.sweep()
  expect(accounts.of(client('ann'), '192.0.2.1')).toBe(ann)
  ann.clients--
  takeFrom(ann.source.rate!, rate, now(), 5)
  accounts.sweep()
  expect(accounts.size).toBe(1)
  advance(500)
  accounts.sweep()
  expect(accounts.size).toBe(0)
  expect(accounts.of(client('ann'), '192.0.2.1')).not.toBe(ann)
})

test('the number of accounts is bounded: further client ids of an address share one, and no known account changes', () => {
  const { accounts } = setUp()
  const first = accounts.of(client('first'), '192.0.2.1')
  for (let i = 0; i < 100_000; i++) accounts.of(client(`id-${i}`), '192.0.2.1')
  expect(accounts.of(client('one-more'), '192.0.2.1')).toBe(accounts.of(client('another'), '192.0.2.1'))
  expect(accounts.of(client('first'), '192.0.2.1')).toBe(first)
  expect(accounts.size).toBeLessThanOrEqual(100_001)
})

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Account, Source } from './accounts.ts'
import { Budget } from './budget.ts'
import { Usage } from './usage.ts'

const SOURCES = 3
const ACCOUNTS = 4
const LOGS = 5

/** What is done to one leaf: it grows, or gives back a part of what it has. */
const step = fc.record({
  source: fc.nat({ max: SOURCES - 1 }),
  account: fc.nat({ max: ACCOUNTS - 1 }),
  log: fc.nat({ max: LOGS - 1 }),
  amount: fc.integer({ min: 1, max: 1000 }),
  grows: fc.boolean(),
})

/** A budget with leaves that are made when they are first used, and the same as plain numbers. */
function setUp(max = Number.POSITIVE_INFINITY) {
  const budget = new Budget(max)
  const sources = Array.from({ length: SOURCES }, (_, i) => new Source(`source ${i}`))
  const accounts = sources.map((source) =>
    Array.from({ length: ACCOUNTS }, (_, i) => new Account(`${source.key} ${i}`, source)),
  )
  const leaves = new Map<string, Usage>()
  const amounts = new Map<string, number>()
  const leafOf = (source: number, account: number, log: number) =>
    leaves.getOrInsertComputed(
      `${source} ${account} ${log}`,
      () => new Usage({ name: `log ${log}` }, budget.of(accounts[source]![account]!)),
    )
  const sumOf = (prefix: string) =>
    amounts.entries().reduce((sum, [key, amount]) => (key.startsWith(prefix) ? sum + amount : sum), 0)
  return { budget, sources, accounts, amounts, leafOf, sumOf }
}

test('every total is the sum of its parts, and the heaviest has most, whatever grows and shrinks', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const { budget, sources, accounts, amounts, leafOf, sumOf } = setUp()
      for (const { source, account, log, amount, grows } of steps) {
        const key = `${source} ${account} ${log}`
        const before = amounts.get(key) ?? 0
        const change = grows ? amount : -Math.min(amount, before)
        if (change > 0) leafOf(source, account, log).add(change)
        else if (change < 0) leafOf(source, account, log).remove(-change)
        amounts.set(key, before + change)
        expect(budget.used).toBe(sumOf(''))
        const most = Math.max(...sources.map((_, i) => sumOf(`${i} `)))
        expect(budget.total.heaviest?.amount ?? 0).toBe(most)
      }
      for (const [i, source] of sources.entries()) {
        const node = budget.of(accounts[i]![0]!).parent!
        expect([node.owner, node.amount]).toEqual([source, sumOf(`${i} `)])
        const most = Math.max(...accounts[i]!.map((_, j) => sumOf(`${i} ${j} `)))
        expect(node.heaviest?.amount ?? 0).toBe(most)
        expect(node.users).toBe(accounts[i]!.filter((_, j) => sumOf(`${i} ${j} `) > 0).length)
        expect(source.uses).toBe(sumOf(`${i} `) > 0 ? 1 : 0)
      }
    }),
    { numRuns: 200 },
  )
})

test('where whoever uses most loses first, an account within its fair share never loses', () => {
  const MAX = 5000
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const { budget, leafOf } = setUp(MAX)
      for (const { source, account, log, amount } of steps) {
        leafOf(source, account, log).add(amount)
        while (budget.used > budget.max) {
          const loser = budget.total.heaviest!.heaviest!
          const ofSource = loser.parent!
          // Less than this is never taken from: the total by the sources that use something, and so on below.
          expect(ofSource.amount).toBeGreaterThan(MAX / budget.total.users)
          expect(loser.amount).toBeGreaterThanOrEqual(ofSource.amount / ofSource.users)
          const leaf = loser.heaviest!
          leaf.remove(Math.min(leaf.amount, 100))
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('a search goes through the children that use most first, and leaves the order as it was', () => {
  const { budget, leafOf } = setUp()
  for (const [source, amount] of [10, 30, 20].entries()) leafOf(source, 0, 0).add(amount)
  const seen: number[] = []
  expect(budget.total.first(2, ({ amount }) => void seen.push(amount))).toBeUndefined()
  expect(seen).toEqual([30, 20])
  expect(budget.total.first(3, ({ amount }) => (amount < 30 ? amount : undefined))).toBe(20)
  expect([budget.total.heaviest!.amount, budget.total.users]).toEqual([30, 3])
})

test('of what is never evicted, one account gets no more than a share once half is used, and a newcomer gets some', () => {
  const budget = new Budget(1000)
  const [busy, quiet] = [new Source('busy'), new Source('quiet')]
  const take = (account: Account) => {
    let taken = 0
    while (budget.admits(account, 1)) {
      budget.of(account).add(1)
      taken++
    }
    return taken
  }
  expect(take(new Account('a', busy))).toBe(500)
  expect(take(new Account('b', busy))).toBeWithin(100, 400)
  for (let i = 0; i < 50; i++) take(new Account(`more ${i}`, busy))
  expect(budget.used).toBeWithin(700, 801)
  expect(take(new Account('c', quiet))).toBeWithin(50, 200)
})

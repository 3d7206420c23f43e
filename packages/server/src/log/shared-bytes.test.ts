import { expect, test } from 'bun:test'
import { protocolVersions, readEnvelope } from '@arqonbus/protocol'
import { testClock } from '@arqonbus/testing'
import fc from 'fast-check'
import { Account, Source } from '../limits/accounts.ts'
import type { Draft, Log, LogListener } from './contract.ts'
import { createMemoryLog } from './memory-log.ts'

const MAX = 20_000

function setUp({ maxBytes = MAX, inboxBytes = MAX } = {}) {
  const clock = testClock()
  const expired: Record<string, number> = {}
  const driver = createMemoryLog<string, Draft>({
    clock,
    ...{ maxBytes, inboxBytes, dedupWindowMs: 1000, dedupBytes: 1 << 20, maxClosed: 100 },
    expired: (reason, count) => {
      expired[reason] = (expired[reason] ?? 0) + count
    },
  })
  const listener = { delivered() {}, settled() {} }
  driver.listen(listener as unknown as LogListener<string, Draft>)
  const logs = new Map<string, Log>()
  const open = (name: string, options: { isInbox?: true; maxBytes?: number } = {}) =>
    logs.getOrInsertComputed(name, () => driver.open(name, name, { size: 1000, ttlMs: 1e9, ...options }))
  let sent = 0
  const say = (log: Log, account: Account, length = 100) => {
    const text = `{"version":"1.0","id":"arq_${++sent}","type":"event","room":"a","channel":"a","from":"x","timestamp":"2026-01-01T00:00:00Z","payload":{"t":"${'x'.repeat(length)}"}}`
    const envelope = readEnvelope(text, { maxDepth: 64, versions: protocolVersions })
    if ('fault' in envelope) throw new Error('no envelope')
    clock.advance(1)
    log.append({ envelope, account, deduplicated: false, requiresDurability: false, wantsPosition: false })
  }
  const kept = (log: Log): number => {
    const { first, last } = log.bounds() as { first: { n: number }; last: { n: number } }
    return log.isEmpty() ? 0 : last.n - first.n + 1
  }
  return { driver, open, say, kept, expired, clock }
}

const accountAt = (address: string, id: string, sources: Map<string, Source>) =>
  new Account(
    `${address} ${id}`,
    sources.getOrInsertComputed(address, () => new Source(address)),
  )

test('whatever others publish elsewhere, a client within its share keeps all of its history', () => {
  const SHARE = MAX / 3
  const step = fc.record({
    address: fc.nat({ max: 1 }),
    id: fc.nat({ max: 5 }),
    channel: fc.nat({ max: 8 }),
    length: fc.integer({ min: 1, max: 3000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 150 }), (steps) => {
      const { driver, open, say, kept } = setUp()
      const sources = new Map<string, Source>()
      const accounts = new Map<string, Account>()
      const victim = accountAt('home', 'ann', sources)
      const [own, shared] = [open('own'), open('shared')]
      let said = 0
      for (const { address, id, channel, length } of steps) {
        // Ann uses a third of all bytes at most, and three addresses publish.
        if ((said + 1) * 400 < SHARE) {
          said++
          say(said % 2 === 0 ? shared : own, victim)
        }
        const key = `stranger-${address}`
        const stranger = accounts.getOrInsertComputed(`${key} ${id}`, () => accountAt(key, `id-${id}`, sources))
        say(open(`channel-${channel}`), stranger, length)
        expect(driver.usage().bytes).toBeLessThanOrEqual(MAX)
      }
      expect(kept(own) + kept(shared)).toBe(said)
    }),
    { numRuns: 100 },
  )
})

test('the oldest message of who uses most goes first, and messages of others ahead of it only where nothing else is left', () => {
  const { open, say, kept } = setUp()
  const sources = new Map<string, Source>()
  const [ann, eve] = [accountAt('a', 'ann', sources), accountAt('e', 'eve', sources)]
  const [lobby, flood] = [open('lobby'), open('flood')]
  for (let n = 0; n < 10; n++) say(lobby, ann)
  say(lobby, eve)
  for (let n = 0; n < 500; n++) say(flood, eve)
  // Eve has a message behind those of Ann: what she floods elsewhere does not remove what is ahead of it.
  expect(kept(lobby)).toBe(11)
  for (let n = 0; n < 500; n++) say(lobby, eve)
  // In one channel the size of its history decides: here there was no other message of Eve left.
  expect(kept(flood)).toBe(0)
})

test('inboxes have bytes of their own: private messages remove no message of a channel', () => {
  const { driver, open, say, kept } = setUp({ inboxBytes: 5000 })
  const eve = accountAt('e', 'eve', new Map())
  const channel = open('channel')
  for (let n = 0; n < 20; n++) say(channel, eve)
  for (let n = 0; n < 100; n++) say(open(`inbox ${n % 33}`, { isInbox: true }), eve, 500)
  expect(kept(channel)).toBe(20)
  expect(driver.usage().inboxBytes).toBeLessThanOrEqual(5000)
  expect(driver.usage().inboxBytes).toBeGreaterThan(3000)
})

test('a channel keeps no more than its own bytes, and loses its oldest messages', () => {
  const { driver, open, say, kept, expired } = setUp()
  const ann = accountAt('a', 'ann', new Map())
  const small = open('small', { maxBytes: 2000 })
  for (let n = 0; n < 50; n++) say(small, ann)
  expect(kept(small)).toBeWithin(5, 10)
  expect(expired.bytes).toBe(50 - kept(small))
  expect(driver.usage().bytes).toBeLessThanOrEqual(2000)
  say(small, ann, 3000)
  expect([kept(small), driver.usage().bytes]).toEqual([0, 0])
})

test('after everything has left, nothing counts as used', () => {
  const { driver, open, say } = setUp()
  const sources = new Map<string, Source>()
  const accounts = Array.from({ length: 10 }, (_, i) => accountAt(`a${i % 3}`, `id-${i}`, sources))
  for (let n = 0; n < 300; n++) say(open(`c${n % 7}`), accounts[n % 10]!, n)
  for (let n = 0; n < 7; n++) open(`c${n}`).delete()
  driver.sweep()
  expect([driver.usage().bytes, driver.usage().messages]).toEqual([0, 0])
  expect(accounts.map(({ uses }) => uses)).toEqual(Array<number>(10).fill(0))
  expect([...sources.values()].map(({ uses }) => uses)).toEqual([0, 0, 0])
})

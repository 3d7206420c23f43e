import { expect, test } from 'bun:test'
import type { Entry, Log } from '../log/contract.ts'
import type { Feed } from '../state/model.ts'
import { createTails } from './tails.ts'

const KiB = 1024
const log = () => ({ isClosed: false }) as unknown as Log
const feed = (subscribers: number, live: number) => ({ subscribers, live, sampled: 0 }) as Feed
const entry = (n: number): Entry => ({ ms: n, n, text: 'x'.repeat(KiB) })
const numbers = (entries: readonly Entry[] | undefined) => entries?.map(({ n }) => n)

test('the tail kept for slow consumers is read from any entry, up to the bytes asked for and at least one entry', () => {
  const tails = createTails({ logBytes: KiB * KiB, totalBytes: KiB * KiB })
  const channel = log()
  for (let n = 5; n <= 9; n++) tails.keep(channel, entry(n), [feed(2, 1)])
  expect(numbers(tails.after(channel, 4, KiB * KiB))).toEqual([5, 6, 7, 8, 9])
  expect(numbers(tails.after(channel, 6, 2 * KiB))).toEqual([7, 8])
  expect(numbers(tails.after(channel, 6, 1))).toEqual([7])
  expect([tails.after(channel, 3, 1), tails.after(channel, 9, 1), tails.after(log(), 6, 1)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('a log keeps only its own share of tails, the newest part', () => {
  const tails = createTails({ logBytes: 100 * KiB, totalBytes: 1000 * KiB })
  const channel = log()
  for (let n = 1; n <= 500; n++) {
    tails.keep(channel, entry(n), [feed(2, 1)])
    expect(tails.bytes()).toBeLessThanOrEqual(100 * KiB)
  }
  expect([
    tails.after(channel, 499, 1)?.length,
    tails.after(channel, 440, 1)?.length,
    tails.after(channel, 300, 1),
  ]).toEqual([1, 1, undefined])
})

test('all logs together keep no more tails than their bound', () => {
  const tails = createTails({ logBytes: 100 * KiB, totalBytes: 250 * KiB })
  const logs = Array.from({ length: 20 }, log)
  for (let n = 1; n <= 60; n++) {
    for (const one of logs) tails.keep(one, entry(n), [feed(2, 1)])
    expect(tails.bytes()).toBeLessThanOrEqual(250 * KiB)
  }
  expect(numbers(tails.after(logs[19]!, 59, 1))).toEqual([60])
})

test('a tail is dropped when no client is behind in its log or the log has ended', () => {
  const tails = createTails({ logBytes: KiB * KiB, totalBytes: KiB * KiB })
  const [channel, wide] = [feed(3, 2), feed(1, 1)]
  const [one, other] = [log(), log()]
  tails.keep(one, entry(1), [channel, wide])
  tails.keep(other, entry(1), [feed(2, 1)])
  tails.sweep()
  expect(tails.bytes()).toBeGreaterThan(2 * KiB)
  channel.live = 3
  Object.assign(other, { isClosed: true })
  tails.sweep()
  expect([tails.after(one, 0, 1), tails.after(other, 0, 1), tails.bytes()]).toEqual([undefined, undefined, 0])
})

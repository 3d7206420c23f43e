import { expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { Ring } from './ring.ts'

test('an empty ring holds nothing and returns nothing', () => {
  const ring = new Ring()
  expect([ring.length, ring.at(0), ring.at(1)]).toEqual([0, undefined, undefined])
  expect(() => ring.shift()).toThrow('empty')
})

test('entries of a ring are found by their numbers, wherever the count began', () => {
  const ring = new Ring()
  for (let n = 41; n <= 60; n++) ring.push({ n, ms: 1000 + n, text: `text ${n}` }, n, 2 * n)
  expect(ring.at(41)).toEqual({ n: 41, ms: 1041, text: 'text 41' })
  expect(ring.at(60)).toEqual({ n: 60, ms: 1060, text: 'text 60' })
  expect([ring.at(40), ring.at(61)]).toEqual([undefined, undefined])
  expect([ring.firstN, ring.firstMs, ring.bytesAt(50), ring.pushedAt(50)]).toEqual([41, 1041, 50, 100])
})

test('a ring equals a list through any wraps and growths', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = createRandom(seed)
    const ring = new Ring()
    const list: { n: number; ms: number; text: string; bytes: number }[] = []
    let n = random.below(1000)
    for (let step = 0; step < 400; step++) {
      if (list.length === 0 || random.chance(55)) {
        const entry = { n: ++n, ms: step, text: `${n}`, bytes: random.below(100) }
        ring.push(entry, entry.bytes, -step)
        list.push(entry)
      } else expect(ring.shift()).toBe(list.shift()!.bytes)
      expect(ring.length).toBe(list.length)
      if (list.length === 0) continue
      const some = random.pick(list)
      expect([ring.firstN, ring.firstMs]).toEqual([list[0]!.n, list[0]!.ms])
      expect(ring.at(some.n)).toEqual({ n: some.n, ms: some.ms, text: some.text })
      expect([ring.bytesAt(some.n), ring.pushedAt(some.n)]).toEqual([some.bytes, -some.ms])
      expect([ring.at(list[0]!.n - 1), ring.at(n + 1)]).toEqual([undefined, undefined])
    }
  }
})

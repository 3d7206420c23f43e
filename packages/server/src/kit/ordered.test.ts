import { expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { Ordered } from './ordered.ts'

type Item = { readonly seq: number }

test('items are iterated in the order of creation, from any number on', () => {
  const list = new Ordered<Item>()
  for (const seq of [2, 3, 5, 8]) list.add({ seq })
  const numbers = (after = -1) => Array.from(list.after(after), ({ seq }) => seq)
  expect([numbers(), numbers(1), numbers(3), numbers(4), numbers(8)]).toEqual([
    [2, 3, 5, 8],
    [2, 3, 5, 8],
    [5, 8],
    [5, 8],
    [],
  ])
})

test('a removed or unknown item is in no list, and removing it again changes nothing', () => {
  const list = new Ordered<Item>()
  const items = [1, 2, 3].map((seq) => ({ seq }))
  for (const item of items) list.add(item)
  for (const item of [items[1]!, items[1]!, { seq: 3 }, { seq: 9 }]) list.delete(item)
  expect([[...list.after(-1)], list.size]).toEqual([[items[0]!, items[2]!], 2])
})

test('an iterator continues after its last item, whatever is added or removed meanwhile', () => {
  const list = new Ordered<Item>()
  const items = Array.from({ length: 200 }, (_, seq) => ({ seq }))
  for (const item of items) list.add(item)
  const seen: number[] = []
  for (const { seq } of list.after(-1)) {
    seen.push(seq)
    if (seq >= 200) continue
    // This one and the next but one, so that the gaps are closed again and again.
    for (const gone of items.slice(seq, seq + 3)) if (gone.seq !== seq + 1) list.delete(gone)
    list.add({ seq: 200 + seq })
  }
  expect(seen.filter((seq) => seq < 200).length).toBeWithin(100, 110)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  expect(new Set(seen).size).toBe(seen.length)
})

test('the ordered list equals a plain list through any mix of additions and removals', () => {
  const random = createRandom(17)
  const list = new Ordered<Item>()
  let plain: Item[] = []
  for (let seq = 0; seq < 3000; seq++) {
    const item = { seq }
    list.add(item)
    plain.push(item)
    while (plain.length > 0 && random.chance(47)) {
      const gone = random.pick(plain)
      list.delete(gone)
      plain = plain.filter((one) => one !== gone)
    }
    const from = random.below(seq + 1)
    expect(Array.from(list.after(from))).toEqual(plain.filter((one) => one.seq > from))
    expect(list.size).toBe(plain.length)
  }
})

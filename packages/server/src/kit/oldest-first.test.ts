import { expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { createOldestFirst } from './oldest-first.ts'

type Item = { times: number[]; isListed: boolean; oldestMs(): number | undefined }

const itemOf = (...times: number[]): Item => ({ times, isListed: false, oldestMs: () => times[0] })

function create() {
  const oldest = createOldestFirst<Item>({
    keyOf: (item) => item.oldestMs(),
    dropped(item) {
      item.isListed = false
    },
  })
  const add = (item: Item) => {
    item.isListed = true
    oldest.add(item)
  }
  return { oldest, add }
}

test('an empty set has no oldest item', () => {
  expect(create().oldest.peek()).toBeUndefined()
})

test('the item with the oldest message comes first, even if its oldest has gone meanwhile', () => {
  const { oldest, add } = create()
  const [a, b, c] = [itemOf(5, 50), itemOf(7, 8), itemOf(6, 60)] as const
  for (const item of [a, b, c]) add(item)
  const order: Item[] = []
  for (let top = oldest.peek(); top !== undefined; top = oldest.peek()) {
    order.push(top)
    top.times.shift()
  }
  expect(order).toEqual([a, c, b, b, a, c])
})

test('items without a message are dropped on the way and may be added again', () => {
  const { oldest, add } = create()
  const [a, b] = [itemOf(1), itemOf(2)] as const
  add(a)
  add(b)
  a.times.pop()
  expect(oldest.peek()).toBe(b)
  expect([a.isListed, b.isListed]).toEqual([false, true])
  a.times.push(3)
  add(a)
  b.times.pop()
  expect(oldest.peek()).toBe(a)
})

test('items that hold nothing do not accumulate', () => {
  const { oldest, add } = create()
  const items = Array.from({ length: 1000 }, (_, i) => itemOf(i))
  for (const item of items) add(item)
  for (const item of items.slice(10)) item.times.pop()
  oldest.prune(10)
  expect(items.filter(({ isListed }) => isListed)).toEqual(items.slice(0, 10))
  expect(oldest.peek()).toBe(items[0]!)
})

test('a few items that hold nothing are left, since a search through all costs more', () => {
  const { oldest, add } = create()
  const items = Array.from({ length: 60 }, () => itemOf())
  for (const item of items) add(item)
  oldest.prune(0)
  expect(items.every(({ isListed }) => isListed)).toBe(true)
})

test('the oldest item is the one that a full search finds', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = createRandom(seed)
    const { oldest, add } = create()
    const items = Array.from({ length: 1 + random.below(40) }, () => itemOf())
    let now = 0
    for (let step = 0; step < 500; step++) {
      const item = random.pick(items)
      if (random.chance(60)) {
        now += random.below(2)
        item.times.push(now)
        if (!item.isListed) add(item)
      } else if (random.chance(30)) {
        oldest.peek()?.times.shift()
      } else item.times.shift()
      if (random.chance(2)) oldest.prune(items.filter(({ times }) => times.length > 0).length)
      const times = items.flatMap((one) => one.times.slice(0, 1))
      expect(oldest.peek()?.times[0]).toBe(times.length === 0 ? undefined : Math.min(...times))
    }
  }
})

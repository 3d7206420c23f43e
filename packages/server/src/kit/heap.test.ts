import { expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { Heap } from './heap.ts'

test('the smallest key is at the top, through any mix of additions, renewals and removals', () => {
  const random = createRandom(23)
  const heap = new Heap<number>()
  let plain: { item: number; key: number }[] = []
  for (let item = 0; item < 1000; item++) {
    const key = random.below(1000)
    heap.add(item, key)
    plain.push({ item, key })
    if (random.chance(40)) {
      const { item: top, key: least } = heap.top!
      const renewed = least + random.below(100)
      heap.renewTop(renewed)
      plain.find((one) => one.item === top)!.key = renewed
    }
    if (random.chance(60)) {
      const top = heap.top!.item
      heap.removeTop()
      plain = plain.filter((one) => one.item !== top)
    }
    if (random.chance(1)) {
      heap.keep((one) => one % 3 !== 0)
      plain = plain.filter((one) => one.item % 3 !== 0)
    }
    expect(heap.size).toBe(plain.length)
    const top = heap.top
    expect(top?.key).toBe(plain.length === 0 ? undefined : Math.min(...plain.map((one) => one.key)))
    if (top !== undefined) expect(plain).toContainEqual({ item: top.item, key: top.key })
  }
})

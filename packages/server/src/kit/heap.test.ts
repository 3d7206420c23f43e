import { expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { Heap } from './heap.ts'

test('the smallest key is at the top of the heap through any mix of additions, renewals and removals', () => {
  const random = createRandom(23)
  const heap = new Heap<number>()
  let plain: { item: number; key: number }[] = []
  for (let item = 0; item < 1000; item++) {
    const key = random.below(1000)
    heap.add(item, key)
    plain.push({ item, key })
    if (random.chance(40)) {
      const [top, least] = [heap.top!, heap.topKey]
      const renewed = least + random.below(100)
      heap.renewTop(renewed)
      plain.find((one) => one.item === top)!.key = renewed
    }
    if (random.chance(60)) {
      const top = heap.top!
      heap.removeTop()
      plain = plain.filter((one) => one.item !== top)
    }
    if (random.chance(1)) {
      heap.keep((one) => one % 3 !== 0)
      plain = plain.filter((one) => one.item % 3 !== 0)
    }
    expect(heap.size).toBe(plain.length)
    expect(heap.topKey).toBe(Math.min(...plain.map((one) => one.key)))
    if (plain.length > 0) expect(plain).toContainEqual({ item: heap.top!, key: heap.topKey })
    else expect(heap.top).toBeUndefined()
  }
})

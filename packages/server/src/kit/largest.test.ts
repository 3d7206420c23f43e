import { describe, expect, test } from 'bun:test'
import { LargestItems, LargestSize } from './largest.ts'

describe('the largest items', () => {
  test('as many are kept as were asked for, and they come largest first', () => {
    const largest = new LargestItems<string>(3)
    for (const size of [4, 9, 1, 7, 3, 8]) largest.add(`of ${size}`, size)
    expect(largest.take()).toEqual(['of 9', 'of 8', 'of 7'])
    expect(largest.take()).toEqual([])
  })

  test('fewer items than were asked for are all kept', () => {
    const largest = new LargestItems<number>(10)
    for (const size of [2, 5, 2]) largest.add(size, size)
    expect(largest.take()).toEqual([5, 2, 2])
  })
})

describe('the largest size', () => {
  test('it follows things that grow and shrink by one', () => {
    const sizes = new LargestSize()
    expect(sizes.largest).toBe(0)
    sizes.grown(1)
    sizes.grown(2)
    sizes.grown(1)
    expect(sizes.largest).toBe(2)
    sizes.shrunk(1)
    expect(sizes.largest).toBe(1)
    sizes.shrunk(0)
    expect(sizes.largest).toBe(1)
    sizes.shrunk(0)
    expect(sizes.largest).toBe(0)
  })

  test('it is that of the largest thing after any changes', () => {
    const sizes = new LargestSize()
    const things = [0, 0, 0, 0]
    let next = 7
    for (let i = 0; i < 2000; i++) {
      next = (next * 1103515245 + 12345) % 2147483648
      const at = next % things.length
      if (next % 3 === 0 && things[at]! > 0) sizes.shrunk(--things[at]!)
      else if (things[at]! < 20) sizes.grown(++things[at]!)
      expect(sizes.largest).toBe(Math.max(...things))
    }
  })
})

import { expect, test } from 'bun:test'
import { Queue } from './queue.ts'

test('items leave the queue in the order of arrival through any mix of pushes and shifts', () => {
  const queue = new Queue<number>()
  const expected: number[] = []
  let next = 0
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i < (round * 7) % 11; i++) {
      queue.push(next)
      expected.push(next++)
    }
    for (let i = 0; i < (round * 5) % 9; i++) expect(queue.shift()).toBe(expected.shift())
    expect(queue.length).toBe(expected.length)
  }
  while (expected.length > 0) expect(queue.shift()).toBe(expected.shift())
  expect([queue.shift(), queue.length]).toEqual([undefined, 0])
})

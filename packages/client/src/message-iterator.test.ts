import { expect, test } from 'bun:test'
import { createMessageIterator } from './message-iterator.ts'

async function drain<Item>(iterator: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of iterator) items.push(item)
  return items
}

test('items come out in order, both waiting and awaited ones', async () => {
  const iterator = createMessageIterator<number>({})
  iterator.push(1)
  iterator.push(2)
  expect([await iterator.next(), await iterator.next()].map(({ value }) => value)).toEqual([1, 2])
  const [third, fourth] = [iterator.next(), iterator.next()]
  iterator.push(3)
  iterator.push(4)
  expect([(await third).value, (await fourth).value]).toEqual([3, 4])
})

test('the end follows the waiting items and is repeated for every further call', async () => {
  const iterator = createMessageIterator<number>({})
  iterator.push(1)
  iterator.end()
  iterator.push(2)
  expect(await drain(iterator)).toEqual([1])
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
})

test('an end with an error throws it once', async () => {
  const iterator = createMessageIterator<number>({})
  const [first, second] = [iterator.next(), iterator.next()]
  iterator.end(new Error('cut'))
  await expect(first).rejects.toThrow('cut')
  expect(await second).toEqual({ done: true, value: undefined })
})

test('a full buffer ends the iterator with an error after the waiting items', async () => {
  const iterator = createMessageIterator<number>({ buffer: 2 })
  for (const item of [1, 2, 3, 4]) iterator.push(item)
  expect([(await iterator.next()).value, (await iterator.next()).value]).toEqual([1, 2])
  await expect(iterator.next()).rejects.toMatchObject({ code: 'consumer_too_slow', details: { buffer: 2 } })
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
})

test('a full buffer may drop the oldest item instead, and reports which', async () => {
  const dropped: number[] = []
  const iterator = createMessageIterator<number>({
    buffer: 2,
    overflow: 'drop-oldest',
    onDrop: (item) => dropped.push(item),
  })
  for (const item of [1, 2, 3, 4]) iterator.push(item)
  iterator.end()
  expect(await drain(iterator)).toEqual([3, 4])
  expect(dropped).toEqual([1, 2])
})

test('leaving the loop ends the iterator and releases the waiting items', async () => {
  let returned = 0
  const iterator = createMessageIterator<number>({}, () => returned++)
  for (const item of [1, 2, 3]) iterator.push(item)
  for await (const item of iterator) if (item === 1) break
  expect(returned).toBe(1)
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
})

import { expect, test } from 'bun:test'
import { createStream } from './stream.ts'

async function drain<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}

test('items come out in order, both waiting and awaited ones', async () => {
  const stream = createStream<number>({})
  stream.push(1)
  stream.push(2)
  expect([await stream.next(), await stream.next()].map(({ value }) => value)).toEqual([1, 2])
  const [third, fourth] = [stream.next(), stream.next()]
  stream.push(3)
  stream.push(4)
  expect([(await third).value, (await fourth).value]).toEqual([3, 4])
})

test('the end follows the waiting items and is repeated for every further call', async () => {
  const stream = createStream<number>({})
  stream.push(1)
  stream.end()
  stream.push(2)
  expect(await drain(stream)).toEqual([1])
  expect(await stream.next()).toEqual({ done: true, value: undefined })
})

test('an end with an error throws it once', async () => {
  const stream = createStream<number>({})
  const [first, second] = [stream.next(), stream.next()]
  stream.end(new Error('cut'))
  await expect(first).rejects.toThrow('cut')
  expect(await second).toEqual({ done: true, value: undefined })
})

test('a full buffer ends the iterator with an error after the waiting items', async () => {
  const stream = createStream<number>({ buffer: 2 })
  for (const item of [1, 2, 3, 4]) stream.push(item)
  expect([(await stream.next()).value, (await stream.next()).value]).toEqual([1, 2])
  await expect(stream.next()).rejects.toMatchObject({ code: 'consumer_too_slow', details: { buffer: 2 } })
  expect(await stream.next()).toEqual({ done: true, value: undefined })
})

test('a full buffer may drop the oldest item instead, and reports which', async () => {
  const dropped: number[] = []
  const stream = createStream<number>({ buffer: 2, overflow: 'drop-oldest', onDrop: (item) => dropped.push(item) })
  for (const item of [1, 2, 3, 4]) stream.push(item)
  stream.end()
  expect(await drain(stream)).toEqual([3, 4])
  expect(dropped).toEqual([1, 2])
})

test('leaving the loop ends the stream and releases the waiting items', async () => {
  let returned = 0
  const stream = createStream<number>({}, () => returned++)
  for (const item of [1, 2, 3]) stream.push(item)
  for await (const item of stream) if (item === 1) break
  expect(returned).toBe(1)
  expect(await stream.next()).toEqual({ done: true, value: undefined })
})

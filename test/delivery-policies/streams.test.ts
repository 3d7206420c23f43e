/** Policies and snapshots of event streams (docs/guide/http-api.md#follow-a-channel). */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { caller, openStreamAt, type Stream, streamOf } from '../api/call.ts'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'

let bus: ManualBus
const streams: Stream[] = []
beforeEach(async () => {
  bus = await startManualBus()
})
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close()
})

async function open(path: string, headers = {}): Promise<Stream> {
  const stream = await openStreamAt(bus.httpUrl, path, headers)
  streams.push(stream)
  await stream.nextOf('joined')
  return stream
}
async function publishAll(...keys: string[]): Promise<void> {
  const ann = await bus.connect()
  for (const [i, key] of keys.entries()) await ann.publish({ channel: 'explore', payload: { i }, metadata: { key } })
}
const numberIn = ({ data }: { data: string }): number => JSON.parse(data).payload.i

test('a stream with sample_ms gets one message in a period and key', async () => {
  await bus.as('any', 'science:explore')
  const stream = await open(`${streamOf('science:explore')}?sample_ms=200`)
  await publishAll('a', 'a', 'b', 'a')
  bus.pass(200)
  const got = [await stream.nextOf('message'), await stream.nextOf('message'), await stream.nextOf('message')]
  expect(got.map(numberIn)).toEqual([0, 2, 3])
  expect(got.map(({ id }) => id!.split('-')[1])).toEqual(['1', '3', '4'])
})

test('a stream with a snapshot gets the newest of each key first, and what it missed when it comes back', async () => {
  await publishAll('a', 'b', 'a')
  const path = `${streamOf('science:explore')}?snapshot=latest&delivery=latest`
  const stream = await open(path)
  const [first, second] = [await stream.nextOf('message'), await stream.nextOf('message')]
  expect([first, second].map(numberIn)).toEqual([1, 2])
  expect(JSON.parse((await stream.nextOf('snapshot')).data)).toMatchObject({
    room: 'science',
    channel: 'explore',
    payload: { messages: 2, complete: true },
  })
  stream.close()
  await publishAll('c', 'c', 'd')
  const again = await open(path, { 'last-event-id': second.id! })
  expect([await again.nextOf('message'), await again.nextOf('message')].map(numberIn)).toEqual([1, 2])
})

test('a stream of several channels has a policy for each of them', async () => {
  await bus.as('any', 'science:explore', 'science:other')
  const stream = await open('/stream?channel=science:explore&channel=science:other&sample_ms=200')
  const ann = await bus.connect()
  for (const i of [1, 2, 3]) for (const channel of ['explore', 'other']) await ann.publish({ channel, payload: { i } })
  bus.pass(200)
  const got: Record<string, number[]> = { explore: [], other: [] }
  for (let count = 0; count < 4; count++) {
    const message = JSON.parse((await stream.nextOf('message')).data)
    got[message.channel]!.push(message.payload.i)
  }
  expect(got).toEqual({ explore: [1, 3], other: [1, 3] })
})

test('a policy that does not exist, and two of them, are refused', async () => {
  const call = caller(bus.httpUrl)
  for (const [query, path] of [
    ['delivery=newest', '/parameters/delivery'],
    ['sample_ms=1', '/parameters/delivery'],
    ['sample_ms=soon', '/query/sample_ms'],
    ['sample_ms=200&delivery=latest', '/query/sample_ms'],
    ['snapshot=all', '/parameters/snapshot'],
  ] as const) {
    const { status, body } = await call(`${streamOf('science:explore')}?${query}`)
    expect([query, status, body.error.code, body.error.details.path]).toEqual([query, 400, 'invalid_parameters', path])
  }
})

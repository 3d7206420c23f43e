/**
 * Fan-out over several turns, on real sockets: floods of long messages reach every subscriber once and in order, and
 * publishers wait if the queue is full.
 */
import { beforeAll, beforeEach, expect, test } from 'bun:test'
import { type Frame, isMessage, startBus, type TestClient } from '@arqonbus/testing'

const KiB = 1024
const FANOUT_BYTES = 1024 * KiB
const LONG = 'x'.repeat(16 * KiB)
const SUBSCRIBERS = 30
const MESSAGES = 60
const bus = await startBus({ rateLimit: null, fanoutBytes: FANOUT_BYTES, historySize: 5000 })

let ann: TestClient
let rooms = 0
let room = ''
let subscribers: TestClient[]
beforeAll(async () => {
  ann = await bus.as('ann')
})
beforeEach(async () => {
  room = `room${++rooms}`
  const ids = Array.from({ length: SUBSCRIBERS }, (_, i) => `subscriber-${rooms}-${i}`)
  subscribers = await Promise.all(ids.map((id) => bus.as(id, `${room}:talk`)))
})

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
const numberOf = ({ metadata }: Frame) => Number(String(metadata?.position).split('-')[1])
/** More in one write than is delivered in a turn: the frames arrive together. */
const flood = (from: TestClient, metadata?: Record<string, unknown>) =>
  range(1, MESSAGES).map(() => from.send({ room, channel: 'talk', payload: { LONG }, ...(metadata && { metadata }) }))
async function take(client: TestClient, count: number): Promise<number[]> {
  const numbers: number[] = []
  while (numbers.length < count) numbers.push(numberOf(await client.next(isMessage)))
  return numbers
}

test('every subscriber gets every message once and in order', async () => {
  flood(ann)
  for (const one of subscribers) expect(await take(one, MESSAGES)).toEqual(range(1, MESSAGES))
})

test('the fan-out queue is bounded: publishers are not read for a while, and nothing is lost', async () => {
  const paused = () => bus.metric('arqonbus_publishers_paused_total')
  const before = await paused()
  let sent = 0
  // The frames accepted in one turn exceed what is delivered in it, and the queue; their number depends on the machine.
  do {
    for (const one of subscribers) one.send({ room, channel: 'talk', payload: { LONG } })
    for (const one of subscribers) expect(await take(one, SUBSCRIBERS)).toEqual(range(sent + 1, sent + SUBSCRIBERS))
    sent += SUBSCRIBERS
  } while ((await paused()) === before)
  expect(await bus.metric('arqonbus_fanout_bytes')).toBe(0)
})

test('an acknowledgement arrives after the own copy of its message', async () => {
  const [bob] = subscribers
  const ids = flood(bob!, { ack: true })
  for (const id of ids) await bob!.answer(id)
  const seen = bob!.frames.filter(isMessage).map(({ id }) => id)
  expect(seen).toEqual(ids)
})

test('with echo=false each acknowledgement arrives where the own copy would be', async () => {
  const bob = await bus.connect({ query: { client_id: `quiet-${rooms}`, join: `${room}:talk`, echo: 'false' } })
  const order: number[] = []
  bob.socket.addEventListener('message', ({ data }) => {
    const n = /"position":"\d+-(\d+)"/.exec(String(data))?.[1]
    if (n !== undefined) order.push(Number(n))
  })
  for (let i = 0; i < MESSAGES; i++) {
    for (const from of [bob, ann]) from.send({ room, channel: 'talk', payload: { LONG } })
  }
  for (const one of subscribers) await take(one, 2 * MESSAGES)
  while (order.length < 2 * MESSAGES) await bob.command('ping')
  expect(order).toEqual(range(1, 2 * MESSAGES))
})

test('a client that joins during a fan-out gets everything after its join, and one that leaves nothing after that', async () => {
  flood(ann)
  const [bob] = subscribers
  await bob!.next(isMessage)
  const left = bob!.command('leave_channel', { channel: `${room}:talk` })
  const cyd = await bus.as(`newcomer-${rooms}`)
  const joined = await cyd.command('join_channel', { channel: `${room}:talk` })
  await left
  const atLeaving = bob!.frames.length
  const last = Number(String((joined as { position: string }).position).split('-')[1])
  const end = await ann.publish({ room, channel: 'talk' })
  const rest = Number(end.position!.split('-')[1]) - last
  expect(await take(cyd, rest)).toEqual(range(last + 1, last + rest))
  await bob!.command('ping')
  expect(bob!.frames.length).toBe(atLeaving)
})

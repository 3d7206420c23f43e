/** A channel that is deleted and recreated while clients are subscribed to its room, live or behind. */
import { afterAll, afterEach, beforeEach, expect, test } from 'bun:test'
import { createSlowLog, eventually, type Frame, startBus } from '@arqonbus/testing'

const slow = createSlowLog({ recent: 0 })
const bus = await startBus({ rateLimit: null, adminKey: 'the-key' }, { log: slow.forBus })
const ann = await bus.connect({ query: { client_id: 'ann' }, headers: { authorization: 'Bearer the-key' } })
afterEach(() => slow.settle())
afterAll(() => slow.flow())

let count = 0
let room = ''
beforeEach(() => {
  room = `room${++count}`
})
const say = async (messages: number, channel = 'talk') => {
  for (let i = 0; i < messages; i++) {
    const published = ann.publish({ room, channel })
    const before = slow.waiting.arrivals
    await slow.until(({ arrivals }) => arrivals === before + 1)
    slow.store()
    slow.tell()
    await published
  }
}
const end = (channel = 'talk') => ann.command('delete_channel', { channel: `${room}:${channel}` })
const create = (channel = 'talk') => ann.command('create_channel', { channel: `${room}:${channel}` })
/** A frame as text: `gap after next`, `deleted last` or `message n`, with numbers only. */
const wordOf = ({ type, payload, metadata }: Frame): string => {
  const number = (position: unknown) => String(position).split('-')[1]
  if (payload.event === 'channel_deleted') return `deleted ${number(payload.last)}`
  return type === 'system'
    ? `gap ${number(payload.after)} ${number(payload.next)}`
    : `message ${number(metadata?.position)}`
}
const heard = (frames: readonly Frame[]) =>
  frames.filter(({ room: one, type }) => one === room && type !== 'command_response').map(wordOf)

test('a live subscriber is notified of a deleted channel after its last message', async () => {
  const bob = await bus.as(`bob-${count}`, `${room}:*`)
  await create()
  await say(3)
  await end()
  await say(2)
  await bob.command('ping')
  expect(heard(bob.frames)).toEqual(['message 1', 'message 2', 'message 3', 'deleted 3', 'message 1', 'message 2'])
})

test('a subscriber that is behind is notified of the gap before it learns that the channel was deleted', async () => {
  await create()
  await say(3)
  await say(1, 'other')
  const history = ann.command('history', {}, { room, channel: 'talk' })
  await slow.until(({ arrivals }) => arrivals === 1)
  await slow.settle()
  const since = (await history).messages[0]!.metadata!.position!
  const bob = await bus.as(`bob-${count}`)
  const joined = bob.command('join_channel', { channel: `${room}:*`, since: { talk: since } })
  await slow.until(({ arrivals }) => arrivals === 2)
  slow.store()
  slow.answer()
  await joined
  // He reads a page of the old channel, which is deleted meanwhile.
  await slow.until(({ arrivals }) => arrivals === 1)
  await end()
  await say(2)
  await eventually(async () => {
    await slow.settle()
    expect(await bus.metric('arqonbus_connections_catching_up')).toBe(0)
  })
  await say(1)
  await bob.command('ping')
  const ofTalk = bob.frames.filter(({ channel }) => channel === 'talk')
  expect(heard(ofTalk)).toEqual(['gap 1 3', 'deleted 3', 'message 1', 'message 2', 'message 3'])
})

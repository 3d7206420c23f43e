import { expect, test } from 'bun:test'
import { RawJson } from '../kit/raw-json.ts'
import type { ChannelRecord, RoomRecord, SessionRecord } from '../state/records.ts'
import { channelIn, channelText, roomIn, roomText, sessionIn, sessionText } from './record-text.ts'

const room: RoomRecord = {
  name: 'science',
  type: 'user',
  state: 'paused',
  createdAt: 1,
  createdBy: 'ann',
  holder: 'h',
  config: new RawJson('{"a":[1.0],"big":9007199254740993}'),
}
const channel: ChannelRecord = {
  room: 'science',
  name: 'lab',
  type: 'private',
  createdAt: 1,
  createdBy: undefined,
  holder: undefined,
  metadata: new RawJson('{ "members": ["bob"],\n"__proto__": null, "twice":1, "twice":2, "half":"\\ud800" }'),
  options: { history_size: 1 },
  autoCreated: false,
}
const session: SessionRecord = {
  clientId: 'ann',
  secretHash: Buffer.alloc(32, 7).toString('base64url'),
  profile: { clientType: 'human', screenName: 'Ann' },
  subscriptions: ['science:*'],
  until: 5,
}

test('a record is read as it was written', () => {
  expect(roomIn('science', roomText(room))).toEqual(room)
  expect(channelIn('science:lab', channelText(channel))).toEqual(channel)
  expect(sessionIn(sessionText(session))).toEqual(session)
})

test('a record of an earlier version is read, and written again as the same text', () => {
  const text =
    '{"type":"private","createdAt":1,"createdBy":"ann","metadata":{"members":["bob"]},"options":{"history_size":1},"autoCreated":false}'
  const record = channelIn('science:lab', text)!
  expect(record.metadata?.text).toBe('{"members":["bob"]}')
  expect(channelText(record)).toBe(text)
})

test('text that is no record is read as nothing', () => {
  for (const text of ['', '{', '[]', 'null', '7', '{}', '{"type":"system","state":"active","createdAt":1}']) {
    expect(roomIn('science', text)).toBeUndefined()
    expect(channelIn('science:lab', text)).toBeUndefined()
    expect(sessionIn(text)).toBeUndefined()
  }
  for (const name of ['', 'a b', '-a']) expect(roomIn(name, roomText(room))).toBeUndefined()
  for (const address of ['science', 'science:', ':lab', 'a:b:c', 'science:*'])
    expect(channelIn(address, channelText(channel))).toBeUndefined()
  expect(sessionIn(sessionText({ ...session, secretHash: 'short' }))).toBeUndefined()
})

/** Rooms, channels, and which clients receive their messages (docs/protocol.md#publishing). */
import { expect, test } from 'bun:test'
import { eventually, type Frame, refusal, startBus, type TestClient } from '@arqonbus/testing'

const bus = await startBus({ adminKey: 'let-me-in' })

const positions = (frames: readonly Frame[]) => frames.map((frame) => frame.metadata?.position)
const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
const addresses = (frames: readonly Frame[]) => frames.map((frame) => `${frame.room}:${frame.channel}`)

/** Publishes `{ n }` to an address and waits for the acknowledgement. */
async function say(client: TestClient, address: string, n: number) {
  const [room, channel] = address.split(':')
  return await client.publish({ room: room!, channel: channel!, payload: { n } })
}

test('clients receive only the messages of their subscriptions', async () => {
  const [ann, bob, cyd] = await Promise.all([
    bus.as('ann', 'science:general'),
    bus.as('bob', 'chat:public'),
    bus.as('cyd', 'science:explore'),
  ])
  const { position } = await ann.publish({ room: 'science', channel: 'explore', payload: { found: 1 } })
  expect(positions(await cyd.messages())).toEqual([position!])
  expect(await ann.messages()).toEqual([])
  expect(await bob.messages()).toEqual([])
})

test('channels of the same name in two rooms are two channels', async () => {
  const [here, there] = await Promise.all([bus.as('here', 'north:general'), bus.as('there', 'south:general')])
  await say(here, 'north:general', 1)
  await say(here, 'south:general', 2)
  expect(contents(await here.messages())).toEqual([1])
  expect(contents(await there.messages())).toEqual([2])
})

test('publishing and reading history require no join', async () => {
  const [speaker, listener] = await Promise.all([bus.as('speaker'), bus.as('listener', 'open:air')])
  await say(speaker, 'open:air', 1)
  expect(contents(await listener.messages())).toEqual([1])
  expect(await speaker.messages()).toEqual([])
  const { messages } = await speaker.command('history', { channel: 'open:air' })
  expect(contents(messages)).toEqual([1])
})

test('joining a joined channel and leaving one that was not joined succeed and change nothing', async () => {
  const client = await bus.as('twice', 'twice:a')
  expect(await client.command('leave_channel', { channel: 'twice:b' })).toEqual({ channel: 'twice:b', left: false })
  expect(await client.command('leave_channel', { channel: 'no-room:at-all' })).toMatchObject({ left: false })
  expect(await client.command('leave_channel', { channel: 'twice:*' })).toMatchObject({ left: false })
  await client.command('join_channel', { channel: 'twice:a' })
  await client.command('join_channel', { channel: 'twice:*' })
  await client.command('join_channel', { channel: 'twice:*' })
  await say(client, 'twice:a', 1)
  expect(contents(await client.messages())).toEqual([1])
  const { channel } = await client.command('channel_info', { channel: 'twice:a' })
  expect(channel).toMatchObject({ participants: ['twice'], participant_count: 1, room_participants: ['twice'] })
  expect(await client.command('leave_channel', { channel: 'twice:a' })).toEqual({ channel: 'twice:a', left: true })
  expect(await client.command('leave_channel', { channel: 'twice:a' })).toEqual({ channel: 'twice:a', left: false })
  const { channels } = await client.command('list_channels', { room: 'twice' })
  expect(channels.map((one) => one.name)).toEqual(['a'])
})

test('a client that leaves a channel receives nothing more from it', async () => {
  const [stays, leaves] = await Promise.all([bus.as('stays', 'party:loud'), bus.as('leaves', 'party:loud')])
  await say(stays, 'party:loud', 1)
  await leaves.command('leave_channel', { channel: 'party:loud' })
  await say(stays, 'party:loud', 2)
  expect(contents(await leaves.messages())).toEqual([1])
  expect(contents(await stays.messages())).toEqual([1, 2])
})

test('a client whose connection breaks leaves all its channels and rooms at once', async () => {
  const [gone, rest] = await Promise.all([bus.as('gone', 'broken:a', 'broken:*'), bus.as('rest', 'broken:a')])
  gone.socket.terminate()
  await eventually(async () => {
    const { channel } = await rest.command('channel_info', { channel: 'broken:a' })
    expect(channel).toMatchObject({ participants: ['rest'], room_participants: [] })
  })
  expect(await say(rest, 'broken:a', 1)).toMatchObject({ recipients: 1 })
})

test('all subscribers of a channel see the same order, which keeps the order of each sender', async () => {
  const names = ['o1', 'o2', 'o3', 'o4']
  const clients = await Promise.all(names.map((name) => bus.as(name, 'order:all')))
  for (let n = 0; n < 50; n++)
    for (const client of clients) client.send({ room: 'order', channel: 'all', payload: { n } })
  const seen = await Promise.all(
    clients.map(async (client) => {
      const frames: Frame[] = []
      while (frames.length < 200) frames.push(await client.next((frame) => frame.type === 'event'))
      return frames
    }),
  )
  for (const frames of seen) {
    expect(positions(frames).map((position) => Number(position!.split('-')[1]))).toEqual(
      Array.from({ length: 200 }, (_, i) => i + 1),
    )
    expect(frames.map(({ id }) => id)).toEqual(seen[0]!.map(({ id }) => id))
    for (const name of names) {
      expect(contents(frames.filter(({ from }) => from === name))).toEqual(Array.from({ length: 50 }, (_, i) => i))
    }
  }
})

test('a command finds what the same client has published just before it', async () => {
  const client = await bus.as('hasty')
  client.send({ room: 'hasty', channel: 'a', payload: { n: 1 } })
  client.send({ room: 'hasty', channel: 'a', payload: { n: 2 } })
  const { messages } = await client.command('history', { channel: 'hasty:a' })
  expect(contents(messages)).toEqual([1, 2])
})

test('a room-wide subscription covers every channel of the room, including new ones, and no other room', async () => {
  const wide = await bus.as('wide', 'library:*')
  await say(wide, 'library:poems', 1)
  await say(wide, 'library:maps', 2)
  await say(wide, 'libraries:maps', 3)
  const heard = await wide.messages()
  expect(addresses(heard)).toEqual(['library:poems', 'library:maps'])
  expect(contents(heard)).toEqual([1, 2])
})

test('a message is delivered once however many subscriptions match, in any order of joining and leaving', async () => {
  const [channelFirst, roomFirst, speaker] = await Promise.all([
    bus.as('channel-first', 'both:a', 'both:*'),
    bus.as('room-first', 'both:*', 'both:a'),
    bus.as('speaker-of-both'),
  ])
  const both = [channelFirst, roomFirst]
  const heard = async () => await Promise.all(both.map(async (client) => contents(await client.messages())))
  await say(speaker, 'both:a', 1)
  expect(await heard()).toEqual([[1], [1]])
  expect(await say(speaker, 'both:*', 2)).toMatchObject({ recipients: 2 })
  expect(await heard()).toEqual([[2], [2]])

  await channelFirst.command('leave_channel', { channel: 'both:a' })
  await roomFirst.command('leave_channel', { channel: 'both:*' })
  await say(speaker, 'both:a', 3)
  await say(speaker, 'both:b', 4)
  await say(speaker, 'both:*', 5)
  expect(await heard()).toEqual([
    [3, 4, 5],
    [3, 5],
  ])

  await channelFirst.command('leave_channel', { channel: 'both:*' })
  await roomFirst.command('leave_channel', { channel: 'both:a' })
  await say(speaker, 'both:a', 6)
  await say(speaker, 'both:*', 7)
  expect(await heard()).toEqual([[], []])
})

test('a room-wide subscription covers a private channel only for its creator, its members and admins', async () => {
  const [owner, member, stranger, admin] = await Promise.all([
    bus.as('owner', 'lab:*'),
    bus.as('member', 'lab:*'),
    bus.as('stranger', 'lab:*'),
    bus.connect({ query: { client_id: 'admin', join: 'lab:*' }, headers: { authorization: 'Bearer let-me-in' } }),
  ])
  await owner.command('create_channel', {
    channel: 'lab:secret',
    type: 'private',
    metadata: { members: ['member', 'later'] },
  })
  const later = await bus.as('later', 'lab:*')
  await say(owner, 'lab:secret', 1)
  await say(stranger, 'lab:open', 2)
  for (const reader of [owner, member, admin, later]) expect(contents(await reader.messages())).toEqual([1, 2])
  expect(contents(await stranger.messages())).toEqual([2])
  expect(await say(member, 'lab:secret', 3)).toMatchObject({ recipients: 4 })
})

test('a member subscribed to a private channel directly and room-wide gets its messages once', async () => {
  const [owner, member] = await Promise.all([bus.as('vault-owner', 'vault:*'), bus.as('vault-member', 'vault:*')])
  await owner.command('create_channel', {
    channel: 'vault:gold',
    type: 'private',
    metadata: { members: ['vault-member'] },
  })
  await member.command('join_channel', { channel: 'vault:gold' })
  await say(owner, 'vault:gold', 1)
  expect(contents(await member.messages())).toEqual([1])
  await member.command('leave_channel', { channel: 'vault:gold' })
  await say(owner, 'vault:gold', 2)
  expect(contents(await member.messages())).toEqual([2])
  await member.command('leave_channel', { channel: 'vault:*' })
  await say(owner, 'vault:gold', 3)
  expect(await member.messages()).toEqual([])
})

test('a private channel that is deleted and recreated belongs only to its new members', async () => {
  const [former, newcomer] = await Promise.all([bus.as('former', 'tower:*'), bus.as('newcomer')])
  await former.command('create_channel', { channel: 'tower:room', type: 'private' })
  await say(former, 'tower:room', 1)
  await former.command('delete_channel', { channel: 'tower:room' })
  await newcomer.command('create_channel', { channel: 'tower:room', type: 'private' })
  await newcomer.command('join_channel', { channel: 'tower:room' })
  await say(newcomer, 'tower:room', 2)
  expect(contents(await newcomer.messages())).toEqual([2])
  expect(contents(await former.messages())).toEqual([1])
})

test('a private channel that is recreated as a public one is delivered once to a room-wide subscriber', async () => {
  const [former, direct] = await Promise.all([bus.as('once-private', 'gate:*'), bus.as('direct')])
  await former.command('create_channel', { channel: 'gate:post', type: 'private' })
  await former.command('delete_channel', { channel: 'gate:post' })
  await direct.command('join_channel', { channel: 'gate:post' })
  await say(direct, 'gate:post', 1)
  expect(contents(await former.messages())).toEqual([1])
})

test('a message to the whole room reaches every participant of the room once, as channel "*"', async () => {
  const [inOne, inTwo, wide, outside] = await Promise.all([
    bus.as('in-one', 'hall:one'),
    bus.as('in-two', 'hall:one', 'hall:two'),
    bus.as('in-all', 'hall:*', 'hall:two'),
    bus.as('outside', 'street:one'),
  ])
  expect(await say(outside, 'hall:*', 1)).toMatchObject({ recipients: 3 })
  for (const client of [inOne, inTwo, wide]) expect(addresses(await client.messages())).toEqual(['hall:*'])
  expect(await outside.messages()).toEqual([])
})

test('the broadcast of a room has positions and a history of its own, apart from every channel', async () => {
  const client = await bus.as('herald', 'castle:yard')
  await say(client, 'castle:yard', 1)
  const first = await say(client, 'castle:*', 2)
  const second = await say(client, 'castle:*', 3)
  expect([first, second].map(({ position }) => position!.split('-')[1])).toEqual(['1', '2'])
  const yard = await client.command('history', { channel: 'castle:yard' })
  expect(contents(yard.messages)).toEqual([1])
  const room = await client.command('history', { channel: 'castle:*' })
  expect(contents(room.messages)).toEqual([2, 3])
  expect(addresses(room.messages)).toEqual(['castle:*', 'castle:*'])
  expect(room.last).toBe(second.position!)
})

test('with echo=false a publisher gets an acknowledgement instead of its own copy, requested or not', async () => {
  const [quiet, other] = await Promise.all([
    bus.connect({ query: { client_id: 'quiet', join: ['echo:a', 'echo:*'], echo: 'false' } }),
    bus.as('other', 'echo:a'),
  ])
  const id = quiet.send({ room: 'echo', channel: 'a', payload: { n: 1 } })
  const { result } = await quiet.answer(id)
  expect(result).toMatchObject({ duplicate: false, durability: 'memory' })
  expect(positions(await other.messages())).toEqual([(result as { position: string }).position])
  const broadcast = quiet.send({ room: 'echo', channel: '*', payload: { n: 2 } })
  expect(await quiet.answer(broadcast)).toMatchObject({ status: 'success' })
  await say(other, 'echo:a', 3)
  expect(contents(await quiet.messages())).toEqual([3])
  expect(contents(await other.messages())).toEqual([2, 3])
})

test('with echo=false a publisher that is subscribed only to the whole room gets an acknowledgement', async () => {
  const quiet = await bus.connect({ query: { join: 'echo-wide:*', echo: 'false' } })
  const id = quiet.send({ room: 'echo-wide', channel: 'a' })
  expect((await quiet.everything()).map((frame) => frame.payload.request_id)).toEqual([id])
})

test('with echo=false a publish to a channel without an own subscription is acknowledged only on request', async () => {
  const quiet = await bus.connect({ query: { echo: 'false' } })
  quiet.send({ room: 'echo', channel: 'elsewhere' })
  const asked = quiet.send({ room: 'echo', channel: 'elsewhere', metadata: { ack: true } })
  const answers = (await quiet.everything()).map((frame) => frame.payload.request_id)
  expect(answers).toEqual([asked])
})

test('private messages are part of no room-wide subscription', async () => {
  const [sender, recipient, spy] = await Promise.all([
    bus.as('sender', 'inn:*'),
    bus.as('recipient', 'inn:*'),
    bus.as('spy', 'inn:*'),
  ])
  await sender.publish({ type: 'private', room: 'inn', channel: 'pm', metadata: { to: 'recipient' } })
  expect(await recipient.messages()).toHaveLength(1)
  expect(await sender.messages()).toHaveLength(1)
  expect(await spy.messages()).toEqual([])
})

test('clients can read both channels of integriguard and write telemetry to the first, live only', async () => {
  const [one, all] = await Promise.all([
    bus.as('one-stream', 'integriguard:telemetry-stream', 'integriguard:dashboard-events'),
    bus.as('all-streams', 'integriguard:*'),
  ])
  expect(one.welcome.failed_joins).toEqual([])
  const event = {
    type: 'telemetry',
    room: 'integriguard',
    channel: 'telemetry-stream',
    payload: { eventType: 'build', payload: { ok: true } },
  } as const
  one.send(event)
  for (const client of [one, all]) {
    const frame = await client.next(({ from, type }) => type === 'telemetry' && from === 'one-stream')
    expect(frame).toMatchObject(event)
    expect(frame.metadata).toBeUndefined()
  }
  expect(await one.publish(event)).toEqual({ position: null, durability: 'memory', duplicate: false, recipients: 2 })
  expect(await refusal(one.command('history', { channel: 'integriguard:telemetry-stream' }))).toMatchObject({
    code: 'system_channel',
  })

  const nowhere = [
    { ...event, channel: 'dashboard-events' },
    { ...event, room: 'science', channel: 'general' },
    { ...event, payload: { eventType: 'build' } },
    { ...event, payload: { eventType: '', payload: {} } },
    { ...event, payload: { eventType: 'x'.repeat(65), payload: {} } },
    { ...event, payload: { eventType: 'build', payload: [] } },
    { ...event, payload: { eventType: 'build', payload: {}, more: 1 } },
  ]
  for (const wrong of nowhere) expect(await refusal(one.publish(wrong))).toMatchObject({ code: 'invalid_telemetry' })
  for (const channel of ['telemetry-stream', 'dashboard-events', '*']) {
    expect(await refusal(one.publish({ room: 'integriguard', channel }))).toMatchObject({ code: 'system_channel' })
  }
  expect(await refusal(one.publish({ room: 'integriguard', channel: 'mine' }))).toMatchObject({
    code: 'channel_not_found',
  })
})

test('no client can write to the room of the bus or join it', async () => {
  const client = await bus.as('intruder')
  for (const channel of ['control', 'inbox', 'mine']) {
    expect(await refusal(client.publish({ room: 'arqonbus', channel }))).toMatchObject({ code: 'system_channel' })
  }
  expect(await refusal(client.publish({ room: 'arqonbus', channel: '*' }))).toMatchObject({ code: 'system_room' })
  expect(await refusal(client.command('join_channel', { channel: 'arqonbus:control' }))).toMatchObject({
    code: 'system_channel',
  })
  expect(await refusal(client.command('join_channel', { channel: 'arqonbus:*' }))).toMatchObject({
    code: 'system_room',
  })
  expect(await refusal(client.command('join_channel', { channel: 'science:pm' }))).toMatchObject({
    code: 'system_channel',
  })
})

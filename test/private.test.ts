/** Private messages and inboxes (docs/protocol.md#private-messages). */
import { describe, expect, test } from 'bun:test'
import { eventually, type Frame, type Publish, refusal, startBus, type TestClient, testClock } from '@arqonbus/testing'

const clock = testClock()
const sessionTtlMs = 600_000
const bus = await startBus({ rateLimit: null, maxViolations: 100, channelIdleMs: 50, sessionTtlMs }, { clock })

const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
const numberOf = (position: string | null | undefined) => Number(position!.split('-')[1])
const numbersIn = (frames: readonly Frame[]) => frames.map((frame) => numberOf(frame.metadata!.position))

/** Sends `{ n }` as a private message and waits for the acknowledgement. */
const whisper = (client: TestClient, to: string | string[], n: number, fields: Publish = {}) =>
  client.publish({ type: 'private', channel: 'pm', payload: { n }, ...fields, metadata: { to, ...fields.metadata } })
const inbox = async (client: TestClient, query: object = {}) =>
  await client.command('history', { channel: 'arqonbus:inbox', ...query })
const comeBack = (client: TestClient) =>
  bus.connect({ query: { client_id: client.id }, headers: { 'arqonbus-session': client.welcome.session } })

describe('recipients', () => {
  test('a private message reaches only the recipient and the sender, without a join', async () => {
    const [ann, bob, eve] = await Promise.all([
      bus.as('ann'),
      bus.as('bob'),
      bus.as('eve', 'science:general', 'science:*'),
    ])
    expect(await whisper(ann, 'bob', 1)).toEqual({
      position: expect.stringMatching(/-1$/),
      durability: 'memory',
      duplicate: false,
      recipients: 2,
    })
    for (const client of [ann, bob]) {
      expect(await client.messages()).toMatchObject([
        { type: 'private', room: 'arqonbus', channel: 'pm', from: 'ann', payload: { n: 1 }, metadata: { to: 'bob' } },
      ])
    }
    expect(await eve.messages()).toEqual([])
  })

  test('a private message reaches each of up to 32 recipients once', async () => {
    const names = Array.from({ length: 32 }, (_, i) => `many-${i}`)
    const many = await Promise.all(names.map((name) => bus.as(name)))
    const sender = many[0]!
    expect(await whisper(sender, names, 1)).toMatchObject({ recipients: 32 })
    for (const client of many) expect(contents(await client.messages())).toEqual([1])
    const tooMany = sender.send({ type: 'private', channel: 'pm', metadata: { to: [...names, 'one-more'] } })
    expect((await sender.answer(tooMany)).error).toMatchObject({ code: 'invalid_envelope' })
  })

  test('every recipient gets the messages of one client in the order sent, long and short ones', async () => {
    const names = Array.from({ length: 32 }, (_, i) => `ordered-${i}`)
    const many = await Promise.all(names.map((name) => bus.as(name)))
    const sender = await bus.as('long-and-short')
    const texts = ['x'.repeat(200_000), '', 'y'.repeat(100_000), '', '']
    const sent = texts.map((text, n) => whisper(sender, names, n, { payload: { n, text } }))
    expect((await Promise.all(sent)).map(({ recipients }) => recipients)).toEqual(texts.map(() => 33))
    for (const client of many) expect(contents(await client.messages())).toEqual([0, 1, 2, 3, 4])
  })

  test('a client can send a private message to itself alone', async () => {
    const diary = await bus.as('diary')
    expect(await whisper(diary, 'diary', 1)).toMatchObject({ recipients: 1 })
    expect(contents(await diary.messages())).toEqual([1])
  })

  test('a private message with missing or invalid recipients is refused', async () => {
    const client = await bus.connect()
    for (const to of [undefined, null, 7, '', 'no spaces', [], [7], ['a', 'a'], ['ok', '']]) {
      const id = client.send({ type: 'private', channel: 'pm', metadata: { ...(to !== undefined && { to }) } })
      expect({ to, ...(await client.answer(id)).error }).toMatchObject({ to, code: 'invalid_envelope' })
    }
  })

  test('an unknown recipient makes the server refuse the whole private message', async () => {
    const [sender, known] = await Promise.all([bus.as('sender-to-nobody'), bus.as('known')])
    expect(await refusal(whisper(sender, ['known', 'nobody-1', 'nobody-2'], 1))).toMatchObject({
      code: 'client_not_found',
      status: 404,
      details: { client_ids: ['nobody-1', 'nobody-2'] },
    })
    expect(await known.messages()).toEqual([])
    expect(await sender.messages()).toEqual([])
    expect((await inbox(known)).messages).toEqual([])
  })

  test('a private message needs a room that exists, and creates none', async () => {
    const client = await bus.as('anywhere', 'somewhere:a')
    await whisper(client, 'anywhere', 1, { room: 'somewhere' })
    expect(await client.messages()).toMatchObject([{ room: 'somewhere', channel: 'pm' }])
    expect(await refusal(whisper(client, 'anywhere', 2, { room: 'no-such-room' }))).toMatchObject({
      code: 'room_not_found',
      details: { room: 'no-such-room' },
    })
    expect(await client.messages()).toEqual([])
    expect(await refusal(client.command('list_channels', { room: 'no-such-room' }))).toMatchObject({
      code: 'room_not_found',
    })
    expect(await refusal(whisper(client, 'anywhere', 3, { room: 'integriguard' }))).toMatchObject({
      code: 'system_channel',
    })
  })

  test('a private message may go by a configured room, a room without channels, and the room of the bus', async () => {
    const configured = await startBus({ rooms: [{ name: 'office', channels: [] }], autoCreate: false })
    const client = await configured.as('clerk')
    for (const [n, room] of ['office', 'arqonbus'].entries()) await whisper(client, 'clerk', n, { room })
    expect((await client.messages()).map(({ room }) => room)).toEqual(['office', 'arqonbus'])
    expect(await refusal(whisper(client, 'clerk', 2, { room: 'elsewhere' }))).toMatchObject({ code: 'room_not_found' })
  })

  test('with echo=false the sender of a private message gets an acknowledgement instead of its copy', async () => {
    const [quiet, other] = await Promise.all([
      bus.connect({ query: { client_id: 'quiet', echo: 'false' } }),
      bus.as('other'),
    ])
    const id = quiet.send({ type: 'private', channel: 'pm', payload: { n: 1 }, metadata: { to: 'other' } })
    const { result } = await quiet.answer(id)
    await whisper(other, 'quiet', 2)
    const heard = await quiet.messages()
    expect(contents(heard)).toEqual([2])
    expect([numberOf((result as { position: string }).position), ...numbersIn(heard)]).toEqual([1, 2])
  })
})

describe('positions', () => {
  test('positions are dense in each inbox, and the acknowledgement gives that of the sender’s inbox', async () => {
    const [one, two, three] = await Promise.all([bus.as('dense-1'), bus.as('dense-2'), bus.as('dense-3')])
    const acknowledged: number[] = []
    for (const [sender, to] of [
      [one, ['dense-2']],
      [two, ['dense-3']],
      [one, ['dense-3']],
      [three, ['dense-1', 'dense-2']],
      [one, ['dense-1']],
    ] as const) {
      acknowledged.push(numberOf((await whisper(sender, [...to], 1)).position))
    }
    expect(acknowledged).toEqual([1, 2, 2, 3, 4])
    expect(numbersIn(await one.messages())).toEqual([1, 2, 3, 4])
    expect(numbersIn(await two.messages())).toEqual([1, 2, 3])
    expect(numbersIn(await three.messages())).toEqual([1, 2, 3])
  })
})

describe('acknowledgements', () => {
  test('a private message whose durability level is unavailable is not delivered', async () => {
    const [sender, recipient] = await Promise.all([bus.as('demanding'), bus.as('spared')])
    expect(await refusal(whisper(sender, 'spared', 1, { metadata: { ack: 'disk' } }))).toMatchObject({
      code: 'storage_unavailable',
    })
    expect(await recipient.messages()).toEqual([])
    expect(await sender.messages()).toEqual([])
  })

  test('a private message sent again is acknowledged with its first position and not delivered twice', async () => {
    const [sender, recipient] = await Promise.all([bus.as('insistent'), bus.as('patient')])
    const first = await whisper(sender, 'patient', 1, { id: 'arq_insist' })
    await whisper(sender, 'patient', 2)
    expect(await whisper(sender, 'patient', 1, { id: 'arq_insist' })).toEqual({ ...first, duplicate: true })
    expect(contents(await recipient.messages())).toEqual([1, 2])
    expect(contents(await sender.messages())).toEqual([1, 2])
  })

  test('a private message with other content or recipients under a used id is refused and not delivered', async () => {
    const [sender, first, second] = await Promise.all([bus.as('two-faced'), bus.as('face-1'), bus.as('face-2')])
    await whisper(sender, 'face-1', 1, { id: 'arq_faces' })
    expect(await refusal(whisper(sender, 'face-1', 2, { id: 'arq_faces' }))).toMatchObject({ code: 'id_conflict' })
    expect(await refusal(whisper(sender, 'face-2', 1, { id: 'arq_faces' }))).toMatchObject({ code: 'id_conflict' })
    expect(contents(await first.messages())).toEqual([1])
    expect(await second.messages()).toEqual([])
    expect(contents(await sender.messages())).toEqual([1])
  })
})

describe('the inbox', () => {
  test('the history of an inbox shows what its client sent and received, in both orders and in pages', async () => {
    const [mine, theirs] = await Promise.all([bus.as('mine'), bus.as('theirs')])
    for (let n = 1; n <= 4; n++) await whisper(n % 2 === 0 ? mine : theirs, n % 2 === 0 ? 'theirs' : 'mine', n)
    await whisper(theirs, 'theirs', 5)
    expect(contents((await inbox(mine)).messages)).toEqual([1, 2, 3, 4])
    expect(contents((await inbox(theirs)).messages)).toEqual([1, 2, 3, 4, 5])
    expect(contents((await inbox(mine, { order: 'desc', limit: 3 })).messages)).toEqual([4, 3, 2])
    const page = await inbox(mine, { limit: 2 })
    expect(page.has_more).toBeTrue()
    expect(contents((await inbox(mine, { after: page.messages[1]!.metadata!.position })).messages)).toEqual([3, 4])
  })

  test('`with` limits the history of an inbox to the conversation with one client', async () => {
    const [me, you, them] = await Promise.all([bus.as('me'), bus.as('you'), bus.as('them')])
    await whisper(me, 'you', 1)
    await whisper(you, 'me', 2)
    await whisper(them, 'me', 3)
    await whisper(me, ['you', 'them'], 4)
    await whisper(me, 'me', 5)
    expect(contents((await inbox(me, { with: 'you' })).messages)).toEqual([1, 2, 4])
    expect(contents((await inbox(me, { with: 'them' })).messages)).toEqual([3, 4])
    expect(contents((await inbox(me, { with: 'me' })).messages)).toEqual([5])
    expect(contents((await inbox(me, { with: 'you', order: 'desc' })).messages)).toEqual([4, 2, 1])
    expect(contents((await inbox(me, { with: 'stranger' })).messages)).toEqual([])
  })

  test('a conversation is read in pages however many other messages are between its messages', async () => {
    const [busy, friend, bulk] = await Promise.all([bus.as('busy'), bus.as('friend'), bus.as('bulk')])
    for (let n = 1; n <= 5; n++) {
      await whisper(friend, 'busy', n)
      for (let i = 0; i < 30; i++) await whisper(bulk, 'busy', 0)
    }
    for (const order of ['asc', 'desc'] as const) {
      const found: unknown[] = []
      let edge: string | undefined
      for (let more = true; more; ) {
        const from = edge && { [order === 'asc' ? 'after' : 'before']: edge }
        const page = await inbox(busy, { with: 'friend', limit: 2, order, ...from })
        found.push(...contents(page.messages))
        expect(page.messages.length > 0 || !page.has_more).toBeTrue()
        edge = page.messages.at(-1)?.metadata?.position
        more = page.has_more
      }
      expect(found).toEqual(order === 'asc' ? [1, 2, 3, 4, 5] : [5, 4, 3, 2, 1])
    }
  })

  test('messages to a disconnected client with a session wait in its inbox until it returns', async () => {
    const [sender, away] = await Promise.all([bus.as('sender-to-away'), bus.as('away')])
    await whisper(sender, 'away', 1)
    const [seen] = await away.messages()
    await away.close()
    await eventually(async () =>
      expect(
        (await sender.command('list_clients', { limit: 1000 })).clients.map(({ client_id: id }) => id),
      ).not.toContain('away'),
    )
    expect(await whisper(sender, 'away', 2)).toMatchObject({ recipients: 1 })
    const back = await comeBack(away)
    expect(
      await back.command('join_channel', {
        channel: 'arqonbus:inbox',
        since: seen!.metadata!.position!,
        since_id: seen!.id,
      }),
    ).toMatchObject({
      channel: 'arqonbus:inbox',
      recovered: true,
      missed: 1,
    })
    await whisper(sender, 'away', 3)
    const heard = await back.messages()
    expect(contents(heard)).toEqual([2, 3])
    expect(numbersIn(heard)).toEqual([2, 3])
    expect(contents((await inbox(back)).messages)).toEqual([1, 2, 3])
  })

  test('a client is unknown once its session has ended', async () => {
    const [sender, brief] = await Promise.all([bus.as('sender-to-brief'), bus.as('brief')])
    await brief.close()
    clock.advance(sessionTtlMs)
    await eventually(async () => {
      expect(await refusal(whisper(sender, 'brief', 1))).toMatchObject({
        code: 'client_not_found',
        details: { client_ids: ['brief'] },
      })
    })
  })

  test('a client that returns after its session ended learns by its old secret whether it missed anything', async () => {
    const sender = await bus.as('sender-to-late')
    const recover = async (client: TestClient, since: string) =>
      (await client.command('join_channel', { channel: 'arqonbus:inbox', since })) as Record<string, unknown>
    for (const [said, outcome] of [
      [0, { recovered: true, missed: 1 }],
      [2, { recovered: false, reason: 'reset', complete: true, missed: 1 }],
    ] as const) {
      const id = `late-${said}`
      const before = await bus.as(id)
      const { position } = (await before.command('join_channel', { channel: 'arqonbus:inbox' })) as { position: string }
      for (let n = 1; n <= said; n++) await whisper(sender, id, n)
      const since = (await before.messages()).at(-1)?.metadata?.position ?? position
      await before.close()
      clock.advance(sessionTtlMs)
      await eventually(async () => {
        expect((await refusal(whisper(sender, id, 9))).code).toBe('client_not_found')
      })
      const stranger = await bus.connect({ query: { client_id: id, session: 'none' } })
      expect(await recover(stranger, since)).not.toHaveProperty('complete')
      await stranger.close()
      const back = await eventually(() => comeBack(before))
      expect(back.welcome.resumed).toBeFalse()
      await whisper(sender, id, 10)
      expect(await recover(back, since)).toMatchObject(outcome)
      expect(contents(await back.messages())).toContain(10)
    }
  })

  test('a client that takes an id without its session cannot read messages sent to that id before', async () => {
    const query = { client_id: 'heirloom', session: 'none' }
    const [sender, former] = await Promise.all([bus.as('sender-to-heirs'), bus.connect({ query })])
    await whisper(sender, 'heirloom', 1)
    await whisper(sender, 'heirloom', 2)
    const [old] = await former.messages()
    await former.close()
    const heir = await eventually(() => bus.connect({ query }))
    expect(heir.welcome.resumed).toBeFalse()
    expect(await inbox(heir)).toMatchObject({ messages: [], has_more: false })
    const { position, recovered } = (await heir.command('join_channel', {
      channel: 'arqonbus:inbox',
      since: old!.metadata!.position!,
      since_id: old!.id,
    })) as { position: string; recovered: boolean }
    expect(recovered).toBeFalse()
    expect(await heir.everything()).toEqual([])
    await whisper(sender, 'heirloom', 3)
    const heard = await heir.messages()
    expect(contents(heard)).toEqual([3])
    expect(numbersIn(heard)).toEqual([numberOf(position) + 1])
    for (const query of [
      {},
      { order: 'desc' },
      { before: heard[0]!.metadata!.position },
      { after: old!.metadata!.position },
    ]) {
      const { messages, has_more: more } = await inbox(heir, query)
      expect(contents(messages)).toEqual('before' in query ? [] : [3])
      expect(more).toBeFalse()
    }
  })

  test('a client that resumes its session can read its whole inbox', async () => {
    const [sender, resumed] = await Promise.all([bus.as('sender-to-resumed'), bus.as('resumed')])
    await whisper(sender, 'resumed', 1)
    const back = await comeBack(resumed)
    expect(back.welcome.resumed).toBeTrue()
    expect(contents((await inbox(back)).messages)).toEqual([1])
    await whisper(sender, 'resumed', 2)
    expect(contents(await back.messages())).toEqual([2])
  })
})

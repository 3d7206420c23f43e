/** Who comes and goes (docs/protocol.md#presence). */
import { beforeEach, describe, expect, test } from 'bun:test'
import { refusal } from '@arqonbus/testing'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'
import { event, member, nextPresence, presenceOf } from './fixture.ts'

const CHANNEL = 'science:explore'
const watch = { channel: CHANNEL, presence: true }
let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus({ rateLimit: null, commandRate: null })
})

describe('a channel', () => {
  test('a join with presence says who is there, and events say who comes and goes', async () => {
    const ada = await bus.as('ada', CHANNEL)
    const bob = await bus.connect({ query: { client_id: 'bob', client_type: 'ai-agent', screen_name: 'Bob' } })
    const joined = await bob.command('join_channel', watch)
    const asBob = { client_id: 'bob', client_type: 'ai-agent', screen_name: 'Bob' }
    expect(joined).toMatchObject({ presence: { count: 2, members: [member('ada'), asBob] } })
    // Its own join is in the reply, and ada does not watch.
    expect([await nextPresence(bus, bob), await presenceOf(ada)]).toEqual([[], []])
    const cid = await bus.as('cid', CHANNEL)
    await ada.command('leave_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, bob)).toEqual([event(2, { joined: [member('cid')], left: ['ada'] })])
    await cid.command('leave_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, bob)).toEqual([event(1, { left: ['cid'] })])
  })

  test('one that comes and goes between two events has not been there, and the reverse', async () => {
    const [ada, bob] = [await bus.as('ada', CHANNEL), await bus.as('bob')]
    await ada.command('join_channel', watch)
    await nextPresence(bus, ada)
    await bob.command('join_channel', { channel: CHANNEL })
    await bob.command('leave_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, ada)).toEqual([])
    await bob.command('join_channel', { channel: CHANNEL })
    await nextPresence(bus, ada)
    await bob.command('leave_channel', { channel: CHANNEL })
    await bob.command('join_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, ada)).toEqual([event(2, { updated: [member('bob')] })])
  })

  test('there are four events a second at most', async () => {
    const ada = await bus.as('ada')
    await ada.command('join_channel', watch)
    for (let i = 0; i < 10; i++) await bus.as(`other-${i}`, CHANNEL)
    expect(await presenceOf(ada)).toEqual([])
    const events = await nextPresence(bus, ada)
    expect(events.map(({ joined, count }) => [joined?.length, count])).toEqual([[10, 11]])
    expect(await bus.metric('arqonbus_presence_frames_total')).toBe(1)
  })

  test('an invisible join is not shown, and can become visible', async () => {
    const [ada, ghost] = [await bus.as('ada'), await bus.as('ghost')]
    await ada.command('join_channel', watch)
    const joined = await ghost.command('join_channel', { ...watch, invisible: true })
    expect(joined).toMatchObject({ presence: { count: 1, members: [member('ada')] } })
    expect(await nextPresence(bus, ada)).toEqual([])
    await ghost.command('join_channel', { channel: CHANNEL, invisible: false })
    expect(await nextPresence(bus, ada)).toEqual([event(2, { joined: [member('ghost')] })])
    await ghost.command('join_channel', { channel: CHANNEL, invisible: true })
    expect(await nextPresence(bus, ada)).toEqual([event(1, { left: ['ghost'] })])
    await ghost.command('leave_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, ada)).toEqual([])
  })

  test('a client that does not want events any more gets none', async () => {
    const ada = await bus.as('ada')
    await ada.command('join_channel', watch)
    await ada.command('join_channel', { channel: CHANNEL, presence: false })
    await bus.as('bob', CHANNEL)
    expect(await nextPresence(bus, ada)).toEqual([])
  })

  test('a profile that changes is an update', async () => {
    const [ada, bob] = [await bus.as('ada'), await bus.as('bob', CHANNEL)]
    await ada.command('join_channel', watch)
    await bob.command('update_profile', { screen_name: 'Bobby' })
    expect(await nextPresence(bus, ada)).toEqual([event(2, { updated: [member('bob', { screen_name: 'Bobby' })] })])
  })
})

describe('a whole room', () => {
  test('its members are all clients with a join in it, each of them once', async () => {
    const [ada, bob] = [await bus.as('ada'), await bus.as('bob', 'science:a', 'science:b')]
    const joined = await ada.command('join_channel', { channel: 'science:*', presence: true })
    expect(joined).toMatchObject({ presence: { count: 2, members: [member('ada'), member('bob')] } })
    await bob.command('leave_channel', { channel: 'science:a' })
    expect(await nextPresence(bus, ada)).toEqual([])
    await bob.command('leave_channel', { channel: 'science:b' })
    await bus.as('cid', 'science:c')
    bus.pass(250)
    const frame = await ada.next(({ payload }) => payload.event === 'presence')
    expect(frame).toMatchObject({ room: 'science', channel: '*', type: 'system', from: 'arqonbus' })
    expect(frame.payload).toEqual(event(2, { joined: [member('cid')], left: ['bob'] }))
  })

  test('a client is shown in a room while one of its joins there is visible', async () => {
    const [ada, bob] = [await bus.as('ada'), await bus.as('bob')]
    await ada.command('join_channel', { channel: 'science:*', presence: true })
    await bob.command('join_channel', { channel: 'science:a', invisible: true })
    expect(await nextPresence(bus, ada)).toEqual([])
    await bob.command('join_channel', { channel: 'science:b' })
    expect(await nextPresence(bus, ada)).toMatchObject([{ joined: [member('bob')] }])
    await bob.command('leave_channel', { channel: 'science:b' })
    expect(await nextPresence(bus, ada)).toMatchObject([{ left: ['bob'] }])
    await bob.command('join_channel', { channel: 'science:a', invisible: false })
    expect(await nextPresence(bus, ada)).toMatchObject([{ joined: [member('bob')] }])
  })
})

describe('the command', () => {
  test('it lists members by pages, with or without a join', async () => {
    const clients = ['a', 'b', 'c', 'd', 'e']
    for (const id of clients) await bus.as(id, CHANNEL)
    const eve = await bus.as('eve')
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await eve.command('presence', { channel: CHANNEL, limit: 2, ...(cursor && { cursor }) })
      expect(page).toMatchObject({ channel: CHANNEL, count: 5 })
      expect(page.members.length).toBeLessThanOrEqual(2)
      seen.push(...page.members.map(({ client_id }) => client_id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(clients)
  })

  test('what does not exist, and a cursor of something else, are refused', async () => {
    const eve = await bus.as('eve')
    expect(await refusal(eve.command('presence', { channel: 'nowhere:a' }))).toMatchObject({ code: 'room_not_found' })
    await eve.command('join_channel', { channel: CHANNEL })
    expect(await refusal(eve.command('presence', { channel: CHANNEL, cursor: 'x1' }))).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/cursor' },
    })
  })

  test('of a private channel only those may know who is there who may read it', async () => {
    const [owner, eve] = [await bus.as('owner'), await bus.as('eve')]
    await owner.command('create_channel', { channel: 'science:secret', type: 'private' })
    await owner.command('join_channel', { channel: 'science:secret', presence: true })
    expect(await refusal(eve.command('presence', { channel: 'science:secret' }))).toMatchObject({ code: 'forbidden' })
    const set = { channel: 'science:secret', status: { state: 'busy' } }
    expect(await refusal(eve.command('set_presence', set))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(eve.command('join_channel', { channel: 'science:secret', presence: true }))).toMatchObject({
      code: 'forbidden',
    })
    expect(await owner.command('presence', { channel: 'science:secret' })).toMatchObject({ count: 1 })
  })
})

test('a join of several addresses lists members as far as one reply holds them, and the command has the rest', async () => {
  const people = Array.from({ length: 400 }, (_, i) => `somebody-with-a-long-name-${i}`)
  await Promise.all(people.map((id) => bus.as(id, 'crowd:a', 'crowd:b', 'crowd:c')))
  const ada = await bus.as('ada')
  const channels = ['a', 'b', 'c'].map((name) => ({ channel: `crowd:${name}`, presence: true }))
  const { results } = (await ada.command('join_channel', { channels })) as {
    results: { presence: { count: number; members: { client_id: string }[]; cursor?: string } }[]
  }
  expect(results.map(({ presence }) => presence.count)).toEqual([401, 401, 401])
  expect(Buffer.byteLength(JSON.stringify(results))).toBeLessThan(64 * 1024)
  for (const [i, { presence }] of results.entries()) {
    const found = presence.members.map(({ client_id }) => client_id)
    for (let { cursor } = presence; cursor !== undefined; ) {
      const page = await ada.command('presence', { ...channels[i], presence: undefined, cursor, limit: 1000 } as never)
      found.push(...page.members.map(({ client_id }) => client_id))
      cursor = page.cursor
    }
    expect(found.toSorted()).toEqual(['ada', ...people].toSorted())
  }
})

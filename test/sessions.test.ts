/** The identity of a client across connections (docs/protocol.md#sessions). */
import { describe, expect, test } from 'bun:test'
import {
  type ConnectOptions,
  eventually,
  open,
  startBus,
  type TestBus,
  type TestClient,
  testClock,
} from '@arqonbus/testing'

const adminKey = 'correct-horse-battery-staple'
const clock = testClock()
const sessionTtlMs = 600_000
const bus = await startBus({ adminKey, rateLimit: null }, { clock })
const admin = await bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } })

/** Connects with the id and the session of an earlier connection. */
const comeBack = ({ id, welcome }: TestClient, query: ConnectOptions['query'] = {}, to: TestBus = bus) =>
  to.connect({ query: { client_id: id, ...query }, headers: { 'arqonbus-session': welcome.session } })
/** Waits until the bus has noticed the end of a connection. */
const isGone = (id: string, of: TestBus = bus) =>
  eventually(async () => {
    const watcher = await of.connect()
    const { clients } = await watcher.command('list_clients', { limit: 1000 })
    await watcher.close()
    expect(clients.map(({ client_id: one }) => one)).not.toContain(id)
  })
async function leave(client: TestClient, of: TestBus = bus) {
  await client.close()
  await isGone(client.id, of)
}

describe('clients that resume their session', () => {
  test('a client that resumes its session keeps its profile and its session secret', async () => {
    const profile = { client_type: 'ai-agent', screen_name: 'Ada', avatar: 'a.png', personality: 'curious' } as const
    const before = await bus.connect({ query: { client_id: 'ada', ...profile } })
    await before.command('update_profile', { screen_name: 'Countess', avatar: null })
    await leave(before)
    clock.advance(1000)
    const after = await comeBack(before)
    expect(after.welcome).toMatchObject({ resumed: true, session: before.welcome.session })
    expect(after.welcome.client).toEqual({
      client_id: 'ada',
      client_type: 'ai-agent',
      screen_name: 'Countess',
      personality: 'curious',
      state: 'connected',
      connected_at: new Date(clock.now()).toISOString(),
      last_activity: new Date(clock.now()).toISOString(),
      subscriptions: [],
    })
  })

  test('a resuming client changes only the profile fields that it sends again', async () => {
    const before = await bus.connect({
      query: { client_id: 'changing', client_type: 'service', screen_name: 'Old', avatar: 'a.png' },
    })
    await leave(before)
    const after = await comeBack(before, { screen_name: 'New' })
    expect(after.welcome.client).toMatchObject({ client_type: 'service', screen_name: 'New', avatar: 'a.png' })
  })

  test('a session can be sent as a header or as an offered subprotocol', async () => {
    const before = await bus.as('both-ways')
    await leave(before)
    const protocols = ['arqonbus.v1', `arqonbus.session.${before.welcome.session}`]
    const after = await bus.connect({ query: { client_id: 'both-ways' }, protocols })
    expect(after.welcome.resumed).toBeTrue()
    expect(after.socket.protocol).toBe('arqonbus.v1')
  })

  test('a resuming client learns its kept subscriptions, each of which a join makes active', async () => {
    const before = await bus.as('lister', 'kept:a', 'kept:*')
    await leave(before)
    const after = await comeBack(before)
    expect(after.welcome).toMatchObject({ subscriptions: [], client: { subscriptions: [] } })
    expect(after.welcome.kept_subscriptions.toSorted()).toEqual(['kept:*', 'kept:a'])
    await admin.publish({ room: 'kept', channel: 'a', payload: { n: 1 } })
    await after.command('join_channel', { channel: 'kept:a' })
    await admin.publish({ room: 'kept', channel: 'a', payload: { n: 2 } })
    expect((await after.messages()).map(({ payload }) => payload)).toEqual([{ n: 2 }])
  })

  test('with resume=live a client has its kept subscriptions at once, beside those that it requests', async () => {
    const before = await bus.as('live', 'live:a', 'other:*')
    await leave(before)
    const after = await comeBack(before, { resume: 'live', join: 'live:b' })
    expect(after.welcome.subscriptions.toSorted()).toEqual(['live:a', 'live:b', 'other:*'])
    expect(after.welcome.kept_subscriptions).toEqual([])
    for (const [room, channel] of [
      ['live', 'a'],
      ['live', 'b'],
      ['other', 'any'],
    ] as const)
      await admin.publish({ room, channel })
    expect(await after.messages()).toHaveLength(3)
  })

  test('with resume=live a client learns which kept subscriptions could not be restored', async () => {
    const owner = await bus.as('owner-of-lost')
    await owner.command('create_channel', { channel: 'lost:open' })
    await owner.command('create_channel', { channel: 'lost:closed', type: 'private', metadata: { members: ['loser'] } })
    const before = await bus.as('loser', 'lost:open', 'lost:closed')
    await leave(before)
    await owner.command('delete_channel', { channel: 'lost:closed' })
    await owner.command('create_channel', { channel: 'lost:closed', type: 'private' })
    const { welcome } = await comeBack(before, { resume: 'live' })
    expect(welcome.subscriptions).toEqual(['lost:open'])
    expect(welcome.kept_subscriptions).toEqual(['lost:closed'])
    expect(welcome.failed_joins).toMatchObject([{ channel: 'lost:closed', error: { code: 'forbidden' } }])
  })

  test('kept subscriptions survive any number of lost connections before they are joined again', async () => {
    let client = await bus.as('cut-early', 'early:a', 'early:*')
    for (let cuts = 0; cuts < 3; cuts++) {
      client.socket.terminate()
      await isGone('cut-early')
      client = await comeBack(client)
      expect(client.welcome.kept_subscriptions.toSorted()).toEqual(['early:*', 'early:a'])
    }
    // A connection that is taken over before it has joined anything does not lose them either.
    const after = await comeBack(await comeBack(client))
    expect(after.welcome.kept_subscriptions.toSorted()).toEqual(['early:*', 'early:a'])
  })

  test('kept subscriptions that were not joined again stay beside those that were', async () => {
    let client = await bus.as('partly', 'partly:a', 'partly:b')
    await leave(client)
    client = await comeBack(client)
    await client.command('join_channel', { channel: 'partly:b' })
    await client.command('join_channel', { channel: 'partly:c' })
    await leave(client)
    client = await comeBack(client)
    expect(client.welcome.kept_subscriptions.toSorted()).toEqual(['partly:a', 'partly:b', 'partly:c'])
  })

  test('a subscription that was left is not kept, whether it had been joined again or not', async () => {
    let client = await bus.as('leaving', 'leaving:a', 'leaving:b', 'leaving:c')
    await leave(client)
    client = await comeBack(client)
    expect(await client.command('leave_channel', { channel: 'leaving:a' })).toMatchObject({ left: false })
    await client.command('join_channel', { channel: 'leaving:b' })
    expect(await client.command('leave_channel', { channel: 'leaving:b' })).toMatchObject({ left: true })
    await leave(client)
    client = await comeBack(client)
    expect(client.welcome.kept_subscriptions).toEqual(['leaving:c'])
  })

  test('a session keeps no more subscriptions than a client may have', async () => {
    const narrow = await startBus({ maxSubscriptions: 2 })
    let client = await narrow.as('narrow', 'narrow:a', 'narrow:b')
    await leave(client, narrow)
    client = await comeBack(client, {}, narrow)
    await client.command('join_channel', { channel: 'narrow:c' })
    await leave(client, narrow)
    client = await comeBack(client, {}, narrow)
    expect(client.welcome.kept_subscriptions).toEqual(['narrow:c', expect.stringMatching(/^narrow:[ab]$/)])
  })

  test('a client can resume its session again and again', async () => {
    let client = await bus.as('again-and-again', 'again:a')
    for (let round = 0; round < 3; round++) {
      await leave(client)
      client = await comeBack(client, { resume: 'live' })
      expect(client.welcome).toMatchObject({ resumed: true, subscriptions: ['again:a'] })
    }
  })
})

describe('ghost connections', () => {
  test('a ghost connection is closed with 4410, and its identity moves to the new connection at once', async () => {
    const ghost = await bus.as('haunted', 'haunted:a', 'haunted:*')
    const after = await comeBack(ghost, { resume: 'live' })
    expect(await ghost.closed).toMatchObject({ code: 4410 })
    expect(after.welcome).toMatchObject({ resumed: true, session: ghost.welcome.session })
    expect(after.welcome.subscriptions.toSorted()).toEqual(['haunted:*', 'haunted:a'])
    const { channel } = await admin.command('channel_info', { channel: 'haunted:a' })
    expect(channel).toMatchObject({ participants: ['haunted'], room_participants: ['haunted'] })
    expect(await admin.publish({ room: 'haunted', channel: 'a' })).toMatchObject({ recipients: 1 })
    expect(await after.messages()).toHaveLength(1)
    expect(ghost.frames).toEqual([])
  })

  test('a ghost connection that is taken over twice leaves one client', async () => {
    const first = await bus.as('twice-haunted')
    const second = await comeBack(first)
    const third = await comeBack(second)
    expect(await Promise.all([first.closed, second.closed])).toMatchObject([{ code: 4410 }, { code: 4410 }])
    await third.command('ping')
    const { clients } = await admin.command('list_clients', { limit: 1000 })
    expect(clients.filter(({ client_id: id }) => id === 'twice-haunted')).toHaveLength(1)
  })
})

describe('an id', () => {
  test('a client id in use is refused without its session and with the session of another client', async () => {
    const [holder, other] = await Promise.all([bus.as('held'), bus.as('holder-of-another')])
    for (const session of [undefined, other.welcome.session, 'nonsense', '']) {
      const intruder = open(bus.busUrl, {
        query: { client_id: 'held' },
        ...(session !== undefined && { headers: { 'arqonbus-session': session } }),
      })
      const [reply, end] = await Promise.all([intruder.answer(null), intruder.closed])
      expect([reply.error?.code, end.code]).toEqual(['client_id_in_use', 4409])
    }
    await holder.command('ping')
  })

  test('the id of a disconnected client is reserved for the holder of its session', async () => {
    const former = await bus.connect({ query: { client_id: 'reserved', join: 'reserved:a' } })
    await leave(former)
    for (const headers of [undefined, { 'arqonbus-session': 'made-up' }]) {
      const stranger = open(bus.busUrl, { query: { client_id: 'reserved' }, ...(headers && { headers }) })
      const [reply, end] = await Promise.all([stranger.answer(null), stranger.closed])
      expect([reply.error?.code, end.code]).toEqual(['client_id_in_use', 4409])
      expect(reply.error?.retry_after_ms).toBeGreaterThan(0)
      expect(reply.error?.message).toContain('session')
    }
    expect((await comeBack(former)).welcome).toMatchObject({ resumed: true, kept_subscriptions: ['reserved:a'] })
  })

  test('with session=none an id is free as soon as its connection has ended, and nothing can be resumed', async () => {
    const query = { client_id: 'brief', session: 'none', join: 'brief:a' }
    const former = await bus.connect({ query: { ...query, screen_name: 'Former' } })
    await leave(former)
    const heir = await bus.connect({ query })
    expect(heir.welcome).toMatchObject({ resumed: false, kept_subscriptions: [] })
    expect(heir.welcome.session).not.toBe(former.welcome.session)
    expect(heir.welcome.client).not.toHaveProperty('screen_name')
    await leave(heir)
    expect((await comeBack(former)).welcome).toMatchObject({ resumed: false, kept_subscriptions: [] })
  })

  test('a session that is sent without its client id resumes nothing', async () => {
    const before = await bus.as('nameless')
    await leave(before)
    const after = await bus.connect({ headers: { 'arqonbus-session': before.welcome.session } })
    expect(after.id).not.toBe('nameless')
    expect(after.welcome.resumed).toBeFalse()
  })
})

describe('a session', () => {
  test('a session secret is shown to no other client', async () => {
    const { welcome } = await bus.as('secretive', 'secret:a')
    expect(welcome.session).toMatch(/^[A-Za-z0-9_-]+$/)
    const seen = await Promise.all([
      admin.command('status'),
      admin.command('list_clients', { limit: 1000 }),
      admin.command('channel_info', { channel: 'secret:a' }),
      fetch(`${bus.httpUrl}/metrics`).then((response) => response.text()),
    ])
    expect(JSON.stringify(seen)).not.toContain(welcome.session)
  })

  test('a session ends ten minutes after its connection', async () => {
    const [early, late] = await Promise.all([bus.as('early'), bus.as('late')])
    await leave(early)
    await leave(late)
    clock.advance(sessionTtlMs - 1)
    expect((await comeBack(early)).welcome.resumed).toBeTrue()
    clock.advance(1)
    expect((await comeBack(late)).welcome.resumed).toBeFalse()
  })

  test('a session does not end while its client is connected', async () => {
    const client = await bus.as('long-lived')
    await leave(client)
    const back = await comeBack(client)
    clock.advance(10 * sessionTtlMs)
    await leave(back)
    expect((await comeBack(back)).welcome.resumed).toBeTrue()
  })

  test('a session ends with disconnect_client', async () => {
    const client = await bus.as('expelled')
    await admin.command('disconnect_client', { client_id: 'expelled' })
    expect((await client.closed).code).toBe(4411)
    expect((await comeBack(client)).welcome.resumed).toBeFalse()
  })

  test('above the number of kept sessions, the session of the longest absent client is removed first', async () => {
    const small = await startedSmall
    const clients: TestClient[] = []
    for (const id of ['gone-1', 'gone-2', 'gone-3']) {
      const client = await small.as(id)
      clients.push(client)
      await client.close()
      await eventually(async () => expect(await small.metric('arqonbus_connections')).toBe(0))
    }
    expect(await small.metric('arqonbus_sessions_kept')).toBe(2)
    const resumed = []
    for (const client of clients) resumed.push((await comeBack(client, {}, small)).welcome.resumed)
    expect(resumed).toEqual([false, true, true])
  })
})

const startedSmall = startBus({ maxSessions: 2 }, { clock })

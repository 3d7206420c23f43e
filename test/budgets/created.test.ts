/** What clients create, join and leave behind: numbers and bytes of one client, of one address and in total. */
import { describe, expect, test } from 'bun:test'
import { refusal, type TestBus, type TestClient, testClock } from '@arqonbus/testing'
import { AWAY, at, behindProxy, HOME } from './addresses.ts'

const publish = (client: TestClient, address: string) => {
  const [room, channel] = address.split(':') as [string, string]
  return client.publish({ room, channel })
}
const hits = (bus: TestBus, limit: string) => bus.metric(`arqonbus_limits_hit_total{limit="${limit}"}`)
const exists = async (client: TestClient, channel: string) =>
  (await client.command('channel_info', { channel }).catch(() => undefined)) !== undefined

describe('channels', () => {
  test('a client at MAX_CHANNELS_PER_CLIENT gets too_many_channels, with how many it has, and no channel goes', async () => {
    const bus = await behindProxy({ maxChannelsPerClient: 3 })
    const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
    await publish(ann, 'science:talk')
    for (const name of ['a', 'b', 'c']) await publish(eve, `flood:${name}`)
    for (const attempt of [
      () => publish(eve, 'flood:d'),
      () => eve.command('join_channel', { channel: 'flood:d' }),
      () => eve.command('create_channel', { channel: 'flood:d' }),
    ])
      expect(await refusal(attempt())).toMatchObject({
        code: 'too_many_channels',
        details: { limit: 3, setting: 'ARQONBUS_MAX_CHANNELS_PER_CLIENT', yours: 3 },
        retry_after_ms: expect.any(Number),
      })
    expect(await hits(bus, 'channels_per_client')).toBe(3)
    for (const name of ['science:talk', 'flood:a', 'flood:b', 'flood:c']) expect(await exists(ann, name)).toBe(true)
    await publish(ann, 'science:more')
  })

  test('at its own limit a client loses its longest idle channel, whatever others have', async () => {
    const clock = testClock()
    const bus = await behindProxy({ maxChannelsPerClient: 2, channelIdleMs: 1000 }, { clock })
    const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
    await publish(ann, 'science:talk')
    await publish(eve, 'flood:a')
    await publish(eve, 'flood:b')
    clock.advance(1000)
    await publish(eve, 'flood:c')
    const there = await Promise.all(['science:talk', 'flood:a', 'flood:b', 'flood:c'].map((name) => exists(ann, name)))
    expect(there).toEqual([true, false, true, true])
  })

  test('at MAX_CHANNELS idle channels of who has most go, and never those of a client that has fewer', async () => {
    const clock = testClock()
    // Four channels are built in.
    const bus = await behindProxy({ maxChannels: 14, channelIdleMs: 1000 }, { clock })
    const [ann, eve, bob] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve'), await at(bus, HOME, 'bob')]
    await publish(ann, 'science:talk')
    for (let n = 0; n < 9; n++) await publish(eve, `flood:c${n}`)
    clock.advance(1000)
    for (let n = 0; n < 9; n++) await publish(eve, `flood:d${n}`)
    // Its own channels are in use now, and all others have fewer.
    expect(await refusal(publish(eve, 'flood:more'))).toMatchObject({
      code: 'too_many_channels',
      details: { limit: 14 },
    })
    clock.advance(1000)
    await publish(bob, 'science:bob')
    expect([await exists(ann, 'science:talk'), await exists(bob, 'science:bob')]).toEqual([true, true])
    expect(await bus.metric('arqonbus_channels')).toBe(14)
  })

  test('100,000 client ids would not help: all clients of an address share MAX_CHANNELS_PER_ADDRESS', async () => {
    const bus = await behindProxy({ maxChannelsPerAddress: 4 })
    for (let id = 0; id < 4; id++) await publish(await at(bus, AWAY, `eve-${id}`), `flood:c${id}`)
    expect(await refusal(publish(await at(bus, AWAY, 'eve-last'), 'flood:last'))).toMatchObject({
      code: 'too_many_channels',
      details: { limit: 4, setting: 'ARQONBUS_MAX_CHANNELS_PER_ADDRESS', yours: 4 },
    })
    expect(await hits(bus, 'channels_per_address')).toBe(1)
    await publish(await at(bus, HOME, 'ann'), 'science:talk')
  })
})

describe('rooms', () => {
  test('a client, and all clients of an address, have limits of rooms', async () => {
    const bus = await behindProxy({ maxRoomsPerClient: 2, maxRoomsPerAddress: 3 })
    const [eve, evil, ann] = [await at(bus, AWAY, 'eve'), await at(bus, AWAY, 'evil'), await at(bus, HOME, 'ann')]
    await publish(eve, 'one:a')
    await publish(eve, 'two:a')
    expect(await refusal(publish(eve, 'three:a'))).toMatchObject({
      code: 'too_many_rooms',
      details: { limit: 2, setting: 'ARQONBUS_MAX_ROOMS_PER_CLIENT', yours: 2 },
    })
    await publish(evil, 'three:a')
    expect(await refusal(evil.command('join_channel', { channel: 'four:*' }))).toMatchObject({
      code: 'too_many_rooms',
      details: { limit: 3, setting: 'ARQONBUS_MAX_ROOMS_PER_ADDRESS', yours: 3 },
    })
    expect([await hits(bus, 'rooms_per_client'), await hits(bus, 'rooms_per_address')]).toEqual([1, 1])
    await publish(ann, 'four:a')
  })

  test('at MAX_ROOMS an idle room of who has most goes', async () => {
    const clock = testClock()
    // Two rooms are built in.
    const bus = await behindProxy({ maxRooms: 6, channelIdleMs: 1000 }, { clock })
    const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
    await publish(ann, 'science:talk')
    for (const room of ['a', 'b', 'c']) await publish(eve, `${room}:x`)
    expect(await refusal(publish(ann, 'more:talk'))).toMatchObject({ code: 'too_many_rooms', details: { limit: 6 } })
    clock.advance(1000)
    await publish(ann, 'more:talk')
    const there = await Promise.all(['science:talk', 'more:talk', 'a:x', 'b:x', 'c:x'].map((name) => exists(ann, name)))
    expect(there).toEqual([true, true, false, true, true])
  })
})

describe('metadata', () => {
  test('metadata takes the bytes in which it was sent, and a client that has too much of it gets quota_exceeded', async () => {
    const bus = await behindProxy({ metadataBytes: 64 * 1024, maxMetadataBytes: 16 * 1024 })
    const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
    const metadata = { lists: Array.from({ length: 5000 }, () => []) }
    const bytes = JSON.stringify(metadata).length
    const create = (client: TestClient, name: string) =>
      client.command('create_channel', { channel: `meta:${name}`, metadata })
    let created = 0
    let refused: unknown
    while (refused === undefined && created < 10)
      await create(eve, `c${created}`).then(
        () => void created++,
        ({ error }) => {
          refused = error
        },
      )
    expect(created).toBe(2)
    expect(refused).toMatchObject({
      code: 'quota_exceeded',
      details: { limit: 'metadata_bytes', setting: 'ARQONBUS_METADATA_BYTES', yours: 2 * bytes },
    })
    expect(await bus.metric('arqonbus_kept_bytes{kind="metadata"}')).toBe(2 * bytes)
    expect(await hits(bus, 'metadata_bytes')).toBe(1)
    await create(ann, 'ann')
    await eve.command('delete_channel', { channel: 'meta:c0' })
    expect(await bus.metric('arqonbus_kept_bytes{kind="metadata"}')).toBe(2 * bytes)
  })
})

test('members that are invited and removed count as metadata, and nothing is left of a channel that is deleted', async () => {
  const bus = await behindProxy()
  const ann = await at(bus, HOME, 'ann')
  const kept = () => bus.metric('arqonbus_kept_bytes{kind="metadata"}')
  await ann.command('create_channel', { channel: 'own:den', type: 'private', metadata: { members: ['bob'] } })
  const before = await kept()
  await ann.command('invite', { channel: 'own:den', client_id: 'cleo' })
  expect(await kept()).toBeGreaterThan(before)
  await ann.command('remove_member', { channel: 'own:den', client_id: 'bob' })
  await ann.command('delete_channel', { channel: 'own:den' })
  expect(await kept()).toBe(0)
})

test('the options of a channel cannot keep more than the settings say, and a configured channel can', async () => {
  const rooms = [{ name: 'fixed', channels: [{ name: 'long', options: { history_size: 50 } }] }]
  const bus = await behindProxy({ historySize: 10, historyTtlMs: 60_000, rooms })
  const ann = await at(bus, HOME, 'ann')
  for (const [options, path] of [
    [{ history_size: 11 }, '/parameters/options/history_size'],
    [{ history_ttl_ms: 60_001 }, '/parameters/options/history_ttl_ms'],
  ] as const)
    expect(await refusal(ann.command('create_channel', { channel: 'own:a', options }))).toMatchObject({
      code: 'invalid_parameters',
      details: { path, expected: expect.stringContaining('at most') },
    })
  await ann.command('create_channel', { channel: 'own:a', options: { history_size: 10, history_ttl_ms: 60_000 } })
  for (let n = 0; n < 20; n++) await publish(ann, 'fixed:long')
  expect((await ann.command('history', { channel: 'fixed:long' })).messages).toHaveLength(20)
})

test('subscriptions of all clients are bounded, and one client cannot use up what others need', async () => {
  const bus = await behindProxy({ maxSubscriptionsTotal: 20 })
  const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
  const join = (client: TestClient, n: number) => client.command('join_channel', { channel: `many:c${n}` })
  for (let n = 0; n < 10; n++) await join(eve, n)
  expect(await refusal(join(eve, 10))).toMatchObject({
    code: 'too_many_subscriptions',
    details: { limit: 20, setting: 'ARQONBUS_MAX_SUBSCRIPTIONS_TOTAL', yours: 10 },
  })
  expect(await hits(bus, 'subscriptions_total')).toBe(1)
  await join(ann, 1)
  await eve.command('leave_channel', { channel: 'many:c0' })
  expect(await bus.metric('arqonbus_subscriptions')).toBe(10)
})

describe('sessions', () => {
  const resumes = async (bus: TestBus, client: TestClient): Promise<boolean> => {
    const headers = { 'arqonbus-session': client.welcome.session!, 'x-forwarded-for': HOME }
    const again = await bus.connect({ query: { client_id: client.id }, headers })
    return again.welcome.resumed
  }

  test('a stranger who leaves many sessions behind ends its own oldest ones only', async () => {
    const bus = await behindProxy({ maxSessions: 5 })
    const ann = await at(bus, HOME, 'ann')
    await ann.close()
    for (let id = 0; id < 10; id++) await (await at(bus, AWAY, `eve-${id}`)).close()
    expect(await bus.metric('arqonbus_sessions_kept')).toBe(5)
    expect(await resumes(bus, ann)).toBe(true)
  })

  test('bytes of sessions are bounded: those with many subscriptions go first', async () => {
    const bus = await behindProxy({ sessionBytes: 32 * 1024 })
    const ann = await at(bus, HOME, 'ann', { join: 'science:talk' })
    await ann.close()
    for (let id = 0; id < 5; id++) {
      const eve = await at(bus, AWAY, `eve-${id}`)
      const channels = Array.from({ length: 100 }, (_, n) => ({ channel: `many:${'x'.repeat(50)}${n}` }))
      await eve.command('join_channel', { channels })
      await eve.close()
    }
    await bus.as('last')
    expect(await bus.metric('arqonbus_kept_bytes{kind="sessions"}')).toBeWithin(1, 32 * 1024 + 1)
    expect(await resumes(bus, ann)).toBe(true)
  })
})

/**
 * A client that knows a channel as private does not join an open one of the same name
 * (docs/protocol.md#private-channels-after-a-restart).
 */
import { describe, expect, test } from 'bun:test'
import { refusal, startBus } from '@arqonbus/testing'
import { createFixture, join } from './fixture.ts'

const { bus, speaker } = await createFixture()
const create = (channel: string, type?: 'private', members: string[] = []) =>
  speaker.command('create_channel', { channel, ...(type && { type, metadata: { members } }) })

describe('a join', () => {
  test('a join returns the type of the channel', async () => {
    await create('typed:open')
    await create('typed:closed', 'private', ['knows-types'])
    const client = await bus.as('knows-types')
    expect(await join(client, { channel: 'typed:open' })).toMatchObject({ type: 'general' })
    expect(await join(client, { channel: 'typed:closed' })).toMatchObject({ type: 'private' })
    expect(await join(client, { channel: 'integriguard:telemetry-stream' })).toMatchObject({ type: 'system' })
    const wide = await join(client, { channel: 'typed:*' })
    expect(wide).not.toHaveProperty('type')
    expect(wide.channels!.map(({ channel, type }) => [channel, type])).toEqual([
      ['typed:open', undefined],
      ['typed:closed', 'private'],
    ])
    expect(await join(client, { channel: 'arqonbus:inbox' })).not.toHaveProperty('type')
  })

  test('a join that names the actual type of the channel succeeds', async () => {
    await create('same:open')
    await create('same:closed', 'private', ['sure'])
    const client = await bus.as('sure')
    expect(await join(client, { channel: 'same:open', type: 'general' })).toMatchObject({ type: 'general' })
    expect(await join(client, { channel: 'same:closed', type: 'private' })).toMatchObject({ type: 'private' })
    expect(await join(client, { channel: 'same:new', type: 'general' })).toMatchObject({ type: 'general' })
  })

  test('a join that names another type is refused with both types and joins nothing', async () => {
    await create('other:open')
    await create('other:closed', 'private', ['mistaken'])
    const client = await bus.as('mistaken')
    expect(await refusal(join(client, { channel: 'other:open', type: 'private' }))).toMatchObject({
      code: 'channel_type_mismatch',
      status: 409,
      details: { channel: 'other:open', expected: 'private', actual: 'general' },
    })
    expect(await refusal(join(client, { channel: 'other:closed', type: 'general' }))).toMatchObject({
      details: { expected: 'general', actual: 'private' },
    })
    const { channels } = await client.command('list_channels', { room: 'other' })
    expect(channels.map(({ participant_count: participants }) => participants)).toEqual([0, 0])
  })

  test('a join that names the type private creates no missing channel', async () => {
    const client = await bus.as('first-back')
    for (const type of ['private', 'system'] as const) {
      const { code } = await refusal(join(client, { channel: 'nowhere:closed', type }))
      expect(code).toBe('room_not_found')
    }
    await create('somewhere:open')
    expect(await refusal(join(client, { channel: 'somewhere:closed', type: 'private' }))).toMatchObject({
      code: 'channel_not_found',
    })
    expect((await client.command('list_channels', { room: 'somewhere' })).channels).toHaveLength(1)
  })

  test('a join that names a type reveals nothing about a private channel that the client may not enter', async () => {
    await create('hidden:closed', 'private')
    const stranger = await bus.as('stranger-to-types')
    for (const type of ['general', 'private'] as const)
      expect((await refusal(join(stranger, { channel: 'hidden:closed', type }))).code).toBe('forbidden')
  })

  test('a join of a whole room or of the inbox cannot name a type', async () => {
    const client = await bus.as('no-type')
    for (const channel of ['typed:*', 'arqonbus:inbox'])
      expect((await refusal(join(client, { channel, type: 'general' }))).code).toBe('invalid_parameters')
  })
})

test('a kept subscription to a private channel is not restored to an open channel of the same name', async () => {
  await create('kept:closed', 'private', ['keeping'])
  await create('kept:open')
  const client = await bus.as('keeping', 'kept:closed', 'kept:open')
  client.socket.terminate()
  await client.closed
  await speaker.command('ping')
  const { session } = client.welcome
  // Its old connection may still exist, and is taken over then.
  const back = () =>
    bus.connect({ query: { client_id: 'keeping', resume: 'live' }, headers: { 'arqonbus-session': session } })
  const same = await back()
  expect(same.welcome.subscriptions.toSorted()).toEqual(['kept:closed', 'kept:open'])
  await same.close()
  for (;;) {
    const { channel } = await speaker.command('channel_info', { channel: 'kept:closed' })
    if (channel.participants.length === 0) break
  }
  await speaker.command('delete_channel', { channel: 'kept:closed' })
  await create('kept:closed')
  const { welcome } = await back()
  expect(welcome).toMatchObject({
    subscriptions: ['kept:open'],
    kept_subscriptions: ['kept:closed'],
    failed_joins: [{ channel: 'kept:closed', error: { code: 'channel_type_mismatch' } }],
  })
})

test('after a restart without persistence the first returning member does not open a private channel to all clients', async () => {
  const before = await startBus()
  const owner = await before.as('owner')
  await owner.command('create_channel', { channel: 'den:deep', type: 'private', metadata: { members: ['member'] } })
  const member = await before.as('member')
  const { type } = await join(member, { channel: 'den:deep' })
  await before.drain('a test')
  const again = await startBus()
  const back = await again.as('member')
  expect((await refusal(join(back, { channel: 'den:deep', type: type as 'private' }))).status).toBe(404)
  // A client that does not know the type gets an open one, and the reply states that.
  expect(await join(back, { channel: 'den:deep' })).toMatchObject({ type: 'general' })
})

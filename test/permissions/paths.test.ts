/** Every path to a message asks the grants: joins, recovery, publishing, rooms as a whole, streams, telemetry. */
import { describe, expect, test } from 'bun:test'
import { refusal, startBus, type TestBus, type TestClient } from '@arqonbus/testing'
import { caller, streamOf } from '../api/call.ts'
import { refused, run } from '../support/ask.ts'

/** An agent has limited grants; a service has all of them. */
const rules = [
  { client_type: 'service', permissions: { '*:*': all(), '@*': all() } },
  { client_type: 'human' },
  {
    client_type: 'ai-agent',
    permissions: {
      'ops:agent-*': ['join', 'publish', 'create'],
      'ops:log': ['join', 'history'],
      'own:{client_id}': ['join', 'publish', 'create'],
      'arqonbus:inbox': ['join', 'history'],
      '@support-*': ['private'],
    },
    deny: { 'ops:agent-secret': ['join'] },
  },
]

function all() {
  return ['join', 'publish', 'history', 'create', 'private', 'presence', 'telemetry', 'status']
}

const bus = await startBus({ permissions: { rules }, rateLimit: null, commandRate: null })
const of =
  (type: string) =>
  (id: string, query: Record<string, string | string[]> = {}, on: TestBus = bus) =>
    on.connect({ query: { client_id: id, client_type: type, ...query } })
const [service, agent, human] = [of('service'), of('ai-agent'), of('human')]
const boss = await service('boss')

const event = (client: TestClient, address: string, text: string) => {
  const [room, channel] = address.split(':')
  return client.publish({ type: 'event', room: room!, channel: channel!, payload: { text } })
}
const texts = async (client: TestClient) => (await client.messages()).map(({ payload }) => payload.text)

/** The refusal of what the grants do not allow. */
const noGrant = (channel: string, requires: string) => ({ code: 'forbidden', details: { channel, requires } })

describe('joins', () => {
  test('in the query fail without a grant, and the connection stays', async () => {
    const client = await agent('a-query', { join: ['ops:agent-1', 'ops:other', 'ops:agent-secret', 'lab:*'] })
    expect(client.welcome.subscriptions).toEqual(['ops:agent-1'])
    expect(client.welcome.failed_joins.map(({ channel, error }) => [channel, error])).toMatchObject([
      ['ops:other', noGrant('ops:other', 'join')],
      ['ops:agent-secret', noGrant('ops:agent-secret', 'join')],
      ['lab:*', noGrant('lab:*', 'join')],
    ])
  })

  test('of several addresses by one command each have their own outcome', async () => {
    const client = await agent('a-several')
    const { results } = (await client.command('join_channel', {
      channels: [{ channel: 'ops:agent-1' }, { channel: 'ops:other' }],
    })) as { results: object[] }
    expect(results).toMatchObject([{ channel: 'ops:agent-1' }, { error: noGrant('ops:other', 'join') }])
  })

  test('by a resumed session ask again', async () => {
    const first = await agent('a-session', { join: 'ops:agent-1' })
    await first.close()
    const headers = { 'arqonbus-session': first.welcome.session }
    const query = { client_id: 'a-session', client_type: 'human', resume: 'live' }
    const second = await bus.connect({ query, headers })
    expect(second.welcome).toMatchObject({
      resumed: true,
      subscriptions: [],
      failed_joins: [{ channel: 'ops:agent-1', error: { code: 'forbidden' } }],
    })
  })

  test('of a channel named for the client work for that client alone', async () => {
    const client = await agent('a-own')
    await client.command('join_channel', { channel: 'own:a-own' })
    expect(await refused(client, 'join_channel', { channel: 'own:a-other' })).toMatchObject(
      noGrant('own:a-other', 'join'),
    )
  })
})

describe('recovery', () => {
  test('with `since` gives new messages only without the grant history, and says nothing of the log', async () => {
    const old = await event(boss, 'ops:agent-r', 'old')
    await event(boss, 'ops:agent-r', 'older')
    const client = await agent('a-since')
    const since = `${old.position!.split('-')[0]}-0`
    const joined = await client.command('join_channel', { channel: 'ops:agent-r', since })
    expect(joined).toMatchObject({ recovered: false, reason: 'forbidden', missed: 0 })
    await event(boss, 'ops:agent-r', 'new')
    expect((await client.next(({ type }) => type === 'event')).payload).toEqual({ text: 'new' })
    expect(await texts(client)).toEqual([])
  })

  test('with the grant history gives what was missed', async () => {
    const first = await event(boss, 'ops:log', 'first')
    await event(boss, 'ops:log', 'second')
    const client = await agent('a-history')
    const joined = await client.command('join_channel', { channel: 'ops:log', since: first.position! })
    expect(joined).toMatchObject({ recovered: true, missed: 1 })
    expect((await client.next(({ type }) => type === 'event')).payload).toEqual({ text: 'second' })
  })
})

describe('publishing', () => {
  test('without a grant is forbidden alike, whether there is such a channel or not', async () => {
    const client = await agent('a-publish')
    await event(boss, 'ops:there', 'x')
    for (const address of ['ops:there', 'ops:missing', 'no-room:missing', 'ops:*'])
      expect(await refusal(event(client, address, 'x'))).toMatchObject(noGrant(address, 'publish'))
    expect(await event(client, 'ops:agent-2', 'x')).toMatchObject({ duplicate: false })
  })

  test('telemetry needs the grant publish in its channel', async () => {
    const payload = { eventType: 'x', payload: {} }
    const telemetry = { type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', payload } as const
    const client = await agent('a-telemetry')
    expect(await refusal(client.publish(telemetry))).toMatchObject(noGrant('integriguard:telemetry-stream', 'publish'))
    expect(await boss.publish(telemetry)).toMatchObject({ position: null })
  })
})

describe('private messages', () => {
  const send = (from: TestClient, to: string | string[], metadata: object = {}, id?: string) =>
    from.publish({
      type: 'private',
      room: 'arqonbus',
      channel: 'pm',
      payload: {},
      metadata: { to, ...metadata },
      ...(id && { id }),
    })

  test('to clients without a grant are forbidden, whether they are known or not', async () => {
    const client = await agent('a-private')
    await human('h-private')
    await human('support-1')
    expect(await send(client, 'support-1')).toMatchObject({ duplicate: false })
    for (const to of ['h-private', 'nobody'])
      expect(await refusal(send(client, to))).toMatchObject({
        code: 'forbidden',
        details: { client_ids: [to], requires: 'private' },
      })
    expect(await refusal(send(client, 'support-9'))).toMatchObject({ code: 'client_not_found' })
  })

  test('may be answered once, to the sender alone, by a client without a grant that names them in `cause`', async () => {
    const client = await agent('a-asker')
    const other = await human('h-other')
    const support = await human('support-2')
    await send(client, 'support-2', {}, 'arq_question')
    expect(await refusal(send(support, 'a-asker'))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(send(support, 'a-asker', { cause: 'arq_unknown' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(send(support, ['a-asker', 'h-other'], { cause: 'arq_question' }))).toMatchObject({
      code: 'forbidden',
    })
    expect(await refusal(send(other, 'a-asker', { cause: 'arq_question' }))).toMatchObject({ code: 'forbidden' })
    expect(await send(support, 'a-asker', { cause: 'arq_question' }, 'arq_answer')).toMatchObject({ duplicate: false })
    // The same message may be sent again, another one not.
    expect(await send(support, 'a-asker', { cause: 'arq_question' }, 'arq_answer')).toMatchObject({ duplicate: true })
    expect(await refusal(send(support, 'a-asker', { cause: 'arq_question' }, 'arq_more'))).toMatchObject({
      code: 'forbidden',
    })
  })

  test('are never answered against a denial', async () => {
    const strict = await startBus({
      permissions: {
        rules: [
          { client_type: 'ai-agent', permissions: { '@*': ['private'] } },
          { client_type: 'human', deny: { '@a-*': ['private'] } },
        ],
      },
    })
    const client = await agent('a-strict', {}, strict)
    const person = await human('h-strict', {}, strict)
    await send(client, 'h-strict', {}, 'arq_first')
    expect(await refusal(send(person, 'a-strict', { cause: 'arq_first' }))).toMatchObject({ code: 'forbidden' })
  })

  test('as many rights to answer are remembered as the configuration allows, the latest', async () => {
    const tight = await startBus({ permissions: { rules }, maxReplyRights: 1 })
    const client = await agent('a-tight', {}, tight)
    const person = await human('support-t', {}, tight)
    await send(client, 'support-t', {}, 'arq_one')
    await send(client, 'support-t', {}, 'arq_two')
    expect(await refusal(send(person, 'a-tight', { cause: 'arq_one' }))).toMatchObject({ code: 'forbidden' })
    expect(await send(person, 'a-tight', { cause: 'arq_two' })).toMatchObject({ duplicate: false })
    expect(await tight.metric('arqonbus_limits_hit_total{limit="reply_rights"}')).toBe(1)
  })

  test('by the channel `pm` of a room need a grant in that room', async () => {
    const client = await agent('a-room')
    await human('support-3')
    await event(boss, 'hidden:a', 'x')
    for (const room of ['hidden', 'no-room']) {
      const message = { type: 'private', room, channel: 'pm', payload: {}, metadata: { to: 'support-3' } } as const
      expect(await refusal(client.publish(message))).toMatchObject({ code: 'forbidden' })
    }
  })
})

describe('a whole room', () => {
  test('delivers to a client with grants for some of its channels those channels, also ones that come later', async () => {
    await event(boss, 'ops:agent-w1', 'before')
    await event(boss, 'ops:hidden', 'before')
    const client = await agent('a-wide')
    const wide = await service('s-wide', { join: 'ops:*' })
    const joined = await client.command('join_channel', { channel: 'ops:*' })
    const heads = (joined as { channels: { channel: string }[] }).channels.map(({ channel }) => channel)
    expect(heads).toContain('ops:agent-w1')
    expect(heads).not.toContain('ops:hidden')
    const said = ['ops:agent-w1', 'ops:hidden', 'ops:agent-secret', 'ops:agent-w2', 'ops:hidden-2', 'ops:*', 'ops:log']
    for (const address of said) await event(boss, address, address)
    expect(await texts(wide)).toEqual(said)
    expect(await texts(client)).toEqual(['ops:agent-w1', 'ops:agent-w2', 'ops:*', 'ops:log'])
  })

  test('goes on with a channel that such a client had joined by itself, and ends with the room', async () => {
    const client = await agent('a-both', { join: ['ops:agent-b', 'ops:*'] })
    await event(boss, 'ops:agent-b', 'once')
    expect(await texts(client)).toEqual(['once'])
    await client.command('leave_channel', { channel: 'ops:agent-b' })
    await event(boss, 'ops:agent-b', 'by the room')
    expect(await texts(client)).toEqual(['by the room'])
    await client.command('leave_channel', { channel: 'ops:*' })
    await event(boss, 'ops:agent-b', 'not any more')
    expect(await texts(client)).toEqual([])
  })

  test('notifies such a client of the end of its channels alone', async () => {
    await run(boss, 'create_channel', { channel: 'ops:agent-end' })
    await run(boss, 'create_channel', { channel: 'ops:end' })
    const client = await agent('a-end', { join: 'ops:*' })
    await run(boss, 'delete_channel', { channel: 'ops:end' })
    await run(boss, 'delete_channel', { channel: 'ops:agent-end' })
    const notices = (await client.everything()).filter(({ type }) => type === 'system')
    expect(notices.map(({ channel, payload }) => [channel, payload.event])).toEqual([['agent-end', 'channel_deleted']])
  })
})

describe('lists and counts', () => {
  test('show the rooms, channels and clients that the grants allow, and count no others', async () => {
    const own = await startBus({ permissions: { rules }, commandRate: null })
    const maker = await service('maker', {}, own)
    for (const channel of ['ops:agent-1', 'ops:agent-2', 'ops:x', 'ops:y', 'lab:z'])
      await run(maker, 'join_channel', { channel })
    const client = await agent('lister', {}, own)
    const { rooms } = await run(client, 'list_rooms')
    expect(rooms).toMatchObject([
      { name: 'arqonbus', channels: ['inbox'], channel_count: 1 },
      { name: 'ops', channels: ['agent-1', 'agent-2'], channel_count: 2, participant_count: 1 },
    ])
    expect(rooms).toHaveLength(2)
    const { channels } = await run(client, 'list_channels')
    expect(channels.map(({ room, name }) => `${room}:${name}`)).toEqual([
      'arqonbus:inbox',
      'ops:agent-1',
      'ops:agent-2',
    ])
    expect((await run(client, 'list_clients')).clients.map(({ client_id }) => client_id)).toEqual(['lister'])
    const { channel } = await run(client, 'channel_info', { channel: 'ops:agent-1' })
    expect(channel).toMatchObject({ participant_count: 1, participants: [], room_participants: [] })
    const nobody = await human('nothing', {}, own)
    expect((await run(nobody, 'list_rooms')).rooms).toEqual([])
  })

  test('pages and acknowledgements do not show what is left out', async () => {
    const own = await startBus({ permissions: { rules }, commandRate: null, rateLimit: null })
    const maker = await service('maker', {}, own)
    const client = await agent('reader', {}, own)
    await run(maker, 'join_channel', { channel: 'ops:agent-1' })
    const page = () => run(client, 'list_channels', { limit: 2 })
    await run(maker, 'create_channel', { channel: 'ops:agent-2' })
    const first = await page()
    for (let i = 0; i < 5; i++) await run(maker, 'create_channel', { channel: `lab:hidden-${i}` })
    expect(await page()).toEqual(first)
    await run(maker, 'create_channel', { channel: 'ops:agent-3' })
    const rest = await run(client, 'list_channels', { limit: 2, cursor: first.cursor! })
    expect(rest.channels.map(({ name }) => name)).toEqual(['agent-2', 'agent-3'])
    expect(rest.cursor).toBeUndefined()
    expect(await refused(client, 'list_channels', { cursor: '1' })).toMatchObject({ code: 'invalid_parameters' })
    const blind = await startBus({
      permissions: { rules: [{ client_type: 'human', permissions: { 'ops:*': ['publish', 'create'] } }, rules[0]!] },
    })
    await service('s-hears', { join: 'ops:a' }, blind)
    expect(await event(await human('h-blind', {}, blind), 'ops:a', 'x')).not.toHaveProperty('recipients')
    expect(await event(await service('s-sees', {}, blind), 'ops:a', 'x')).toMatchObject({ recipients: 1 })
  })

  test('status counts what its reader may know', async () => {
    const own = await startBus({
      commandRate: null,
      permissions: {
        rules: [
          { client_type: 'service', permissions: { '*:*': all(), '@*': all() } },
          { client_type: 'human', permissions: { 'arqonbus:control': ['status'], 'ops:agent-*': ['join'] } },
        ],
      },
    })
    const maker = await service('maker', {}, own)
    for (const channel of ['ops:agent-1', 'ops:x', 'lab:z']) await run(maker, 'join_channel', { channel })
    const reader = await human('reader', {}, own)
    const { totals, rooms, clients, clients_by_type } = await run(reader, 'status')
    expect(totals).toEqual({ connections: 1, streams: 0, clients: 1, rooms: 1, channels: 1, participants: 1 })
    expect(rooms.map(({ name }) => name)).toEqual(['ops'])
    expect(clients!.map(({ client_id }) => client_id)).toEqual(['reader'])
    expect(clients_by_type).toMatchObject({ human: 1, service: 0 })
  })
})

describe('over HTTP', () => {
  test('publishing, streams and figures are refused without a grant, and say nothing of what there is', async () => {
    const own = await startBus({
      permissions: { rules: [{ client_type: 'service', permissions: { 'ops:open': ['join', 'publish', 'create'] } }] },
      commandRate: null,
    })
    const call = caller(own.httpUrl)
    const codeOf = async (path: string, body?: string) => {
      const answer = await call(path, body === undefined ? {} : { body })
      return [answer.status, answer.body.error?.code]
    }
    const message = '{"payload":{}}'
    expect((await call('/rooms/ops/channels/open/messages', { body: message })).status).toBe(201)
    for (const channel of ['ops:closed', 'no-room:a']) {
      const [room, name] = channel.split(':')
      expect(await codeOf(`/rooms/${room}/channels/${name}/messages`, message)).toEqual([403, 'forbidden'])
      expect(await codeOf(`/rooms/${room}/channels/${name}/messages`)).toEqual([403, 'forbidden'])
      expect(await codeOf(`/rooms/${room}/channels/${name}`)).toEqual([403, 'forbidden'])
      expect(await codeOf(streamOf(channel))).toEqual([403, 'forbidden'])
    }
    expect(await codeOf('/series')).toEqual([403, 'forbidden'])
    const batch = {
      messages: [
        { room: 'ops', channel: 'open' },
        { room: 'ops', channel: 'closed' },
      ].map((one) => ({ ...one, payload: {} })),
    }
    const { body } = await call('/messages', { body: JSON.stringify(batch) })
    expect(body.results?.map(({ status }: { status: number }) => status)).toEqual([201, 403])
  })
})

describe('telemetry', () => {
  const withTelemetry = (permissions: object) => startBus({ permissions: { rules: [{ permissions }] } })

  test('is refused to subscribers of the telemetry server, and in the channels, without the grant', async () => {
    const own = await withTelemetry({ '*:*': ['join'] })
    const problem = await own.listen({ client_id: 'watcher' }).catch((error: unknown) => String(error))
    expect(problem).toContain('4403')
    const client = await own.as('reader')
    for (const channel of ['integriguard:*', 'integriguard:telemetry-stream'])
      expect(await refused(client, 'join_channel', { channel })).toMatchObject(noGrant(channel, 'telemetry'))
  })

  test('of one channel is told to those who have the grant for that channel', async () => {
    const own = await withTelemetry({ 'integriguard:dashboard-events': ['telemetry'], 'lab:*': ['join', 'create'] })
    const watcher = await own.listen({ client_id: 'watcher' })
    expect(watcher.welcome.subscriptions).toEqual(['integriguard:dashboard-events'])
    await own.connect({ query: { client_id: 'bot', client_type: 'ai-agent', join: 'lab:a' } })
    const told = await watcher.next(({ type }) => type === 'telemetry')
    expect([told.channel, told.payload.eventType]).toEqual(['dashboard-events', 'agent_activity'])
  })
})

/** What clients say of themselves (docs/protocol.md#presence). */
import { beforeEach, describe, expect, test } from 'bun:test'
import { refusal, textOf } from '@arqonbus/testing'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'
import { comeBack, EVENT_MS, event, isPresence, leftBus, member, nextPresence, presenceOf } from './fixture.ts'

const CHANNEL = 'science:explore'
let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus()
})

async function watcher() {
  const ada = await bus.as('ada')
  await ada.command('join_channel', { channel: CHANNEL, presence: true })
  return ada
}
const withStatus = (id: string, status: object) => member(id, { status })
const updated = (id: string, status?: object) =>
  event(2, { updated: [status === undefined ? member(id) : withStatus(id, status)] })

describe('the status of a client', () => {
  test('one for a channel comes before one for all channels, and null takes it away', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    expect(await bob.command('set_presence', { status: { state: 'idle' } })).toEqual({ status: { state: 'idle' } })
    expect(await nextPresence(bus, ada)).toEqual([updated('bob', { state: 'idle' })])
    const here = { channel: CHANNEL, status: { state: 'thinking', text: 'hm' } }
    expect(await bob.command('set_presence', here)).toEqual(here)
    expect(await nextPresence(bus, ada)).toEqual([updated('bob', here.status)])
    expect(await bob.command('presence', { channel: CHANNEL })).toMatchObject({
      members: [withStatus('bob', here.status), member('ada')],
    })
    await bob.command('set_presence', { channel: CHANNEL, status: null })
    expect(await nextPresence(bus, ada)).toEqual([updated('bob', { state: 'idle' })])
    expect(await bob.command('set_presence', { status: null })).toEqual({ status: null })
    expect(await nextPresence(bus, ada)).toEqual([updated('bob')])
  })

  test('several changes between two events are one, the last', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    for (let i = 0; i < 10; i++) await bob.command('set_presence', { status: { i } })
    expect(await nextPresence(bus, ada)).toEqual([updated('bob', { i: 9 })])
  })

  test('it arrives as it was written', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    const status = '{"b": 1.0,"a":9007199254740993}'
    const id = 'arq_exact'
    bob.raw(
      `{"version":"1.0","id":"${id}","type":"command","room":"arqonbus","channel":"control","from":"bob","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"set_presence","parameters":{"status":${status}}}}`,
    )
    await bob.answer(id)
    bus.pass(EVENT_MS)
    expect(textOf(await ada.next(isPresence))).toContain(`"status":${status}`)
  })

  test('it ends when the client leaves the channel, and outlives a return within the grace', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    await bob.command('set_presence', { channel: CHANNEL, status: { state: 'here' } })
    await bob.command('set_presence', { status: { state: 'anywhere' } })
    await nextPresence(bus, ada)
    await leftBus(bus, bob)
    const back = await comeBack(bus, bob)
    await back.command('join_channel', { channel: CHANNEL })
    const members = async () => (await ada.command('presence', { channel: CHANNEL })).members
    expect(await members()).toContainEqual(withStatus('bob', { state: 'here' }))
    await back.command('leave_channel', { channel: CHANNEL })
    await back.command('join_channel', { channel: CHANNEL })
    expect(await members()).toContainEqual(withStatus('bob', { state: 'anywhere' }))
    await leftBus(bus, back)
    bus.pass(15_000)
    expect(await bus.metric('arqonbus_presence_bytes')).toBe(0)
    await (await comeBack(bus, bob)).command('join_channel', { channel: CHANNEL })
    expect(await members()).toContainEqual(member('bob'))
  })

  test('a status in a room that the client has joined as a whole', async () => {
    const [ada, bob] = [await bus.as('ada'), await bus.as('bob', 'science:*')]
    await ada.command('join_channel', { channel: 'science:*', presence: true })
    await bob.command('set_presence', { channel: 'science:*', status: { state: 'busy' } })
    expect(await nextPresence(bus, ada)).toEqual([updated('bob', { state: 'busy' })])
  })
})

describe('limits', () => {
  test('a status has 1,024 bytes at most', async () => {
    const bob = await bus.as('bob', CHANNEL)
    const most = { text: 'é'.repeat(506) }
    expect(Buffer.byteLength(JSON.stringify(most))).toBe(1023)
    await bob.command('set_presence', { status: most })
    expect(await refusal(bob.command('set_presence', { status: { text: 'é'.repeat(507) } }))).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/status', expected: 'at most 1024 bytes of JSON' },
    })
    for (const status of ['busy', 3, []] as never[])
      expect(await refusal(bob.command('set_presence', { status }))).toMatchObject({
        code: 'invalid_parameters',
      })
  })

  test('a client sets its presence ten times a second', async () => {
    const bob = await bus.as('bob', CHANNEL)
    for (let i = 0; i < 10; i++) await bob.command('set_presence', { status: { i } })
    expect(await refusal(bob.command('set_presence', { status: { i: 10 } }))).toMatchObject({
      code: 'rate_limited',
      retry_after_ms: 100,
    })
    expect(await bus.metric('arqonbus_limits_hit_total{limit="presence_rate"}')).toBe(1)
    bus.pass(100)
    await bob.command('set_presence', { status: { i: 11 } })
  })

  test('the memory for statuses is bounded', async () => {
    const small = await startManualBus({ presenceBytes: 64 * 1024, presenceRate: null })
    const bob = await small.as('bob', ...Array.from({ length: 60 }, (_, i) => `many:c${i}`))
    const status = { text: 'x'.repeat(1000) }
    const set = (i: number) => bob.command('set_presence', { channel: `many:c${i}`, status })
    let i = 0
    for (; (await small.metric('arqonbus_presence_bytes')) < 63 * 1024; i++) await set(i)
    expect(await refusal(set(i))).toMatchObject({ code: 'rate_limited', details: { limit: 'presence_bytes' } })
    expect(await small.metric('arqonbus_limits_hit_total{limit="presence_bytes"}')).toBe(1)
    // A status that replaces another takes no more.
    await set(0)
    await bob.command('set_presence', { channel: 'many:c0', status: null })
    await set(i)
  })

  test('a status is for a channel that the client has joined', async () => {
    const [bob] = [await bus.as('bob'), await bus.as('cid', CHANNEL)]
    expect(await refusal(bob.command('set_presence', { channel: CHANNEL, status: {} }))).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/channel' },
    })
    expect(await refusal(bob.command('set_presence', { status: {}, ttl_ms: 5000 }))).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/ttl_ms' },
    })
  })
})

describe('by HTTP', () => {
  const call = async (id: string | undefined, parameters: object) => {
    const response = await fetch(`${bus.httpUrl}/api/v1/commands/set_presence`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(id !== undefined && { 'arqonbus-client-id': id }) },
      body: JSON.stringify(parameters),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const set = { channel: CHANNEL, status: { state: 'busy' }, ttl_ms: 5000 }

  test('a client without a connection is a member for the time that it says, and longer if it says so again', async () => {
    const ada = await watcher()
    expect(await call('cron', set)).toMatchObject({ status: 200, body: { channel: CHANNEL, status: set.status } })
    const cron = { client_id: 'cron', client_type: 'service', status: set.status } as const
    expect(await nextPresence(bus, ada)).toEqual([event(2, { joined: [cron] })])
    expect(await ada.command('presence', { channel: CHANNEL })).toMatchObject({ count: 2, members: [{}, cron] })
    bus.pass(4000)
    await call('cron', { ...set, status: { state: 'idle' } })
    expect(await nextPresence(bus, ada)).toMatchObject([{ updated: [{ status: { state: 'idle' } }] }])
    bus.pass(4000)
    expect(await presenceOf(ada)).toEqual([])
    bus.pass(1000)
    bus.pass(EVENT_MS)
    expect(await presenceOf(ada)).toEqual([event(1, { left: ['cron'] })])
    expect(await bus.metric('arqonbus_presence_bytes')).toBe(0)
  })

  test('with ttl_ms 0 it ends at once', async () => {
    const ada = await watcher()
    await call('cron', set)
    await nextPresence(bus, ada)
    expect(await call('cron', { ...set, ttl_ms: 0 })).toMatchObject({ status: 200 })
    expect(await nextPresence(bus, ada)).toEqual([event(1, { left: ['cron'] })])
  })

  test('when it connects and joins it was there all the time', async () => {
    const ada = await watcher()
    await call('cron', set)
    await nextPresence(bus, ada)
    const cron = await bus.connect({ query: { client_id: 'cron', client_type: 'service' } })
    await cron.command('join_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, ada)).toEqual([])
    bus.pass(10_000)
    expect(await presenceOf(ada)).toEqual([])
    expect(await ada.command('presence', { channel: CHANNEL })).toMatchObject({
      members: [{}, { client_id: 'cron', status: set.status }],
    })
  })

  test('a time, a channel that exists and may be read, and the right to the client id are needed', async () => {
    const ada = await watcher()
    await ada.command('create_channel', { channel: 'science:secret', type: 'private' })
    const [{ status: id }, ...others] = await Promise.all([
      call('ada', set),
      call('cron', { ...set, ttl_ms: undefined }),
      call('cron', { ...set, ttl_ms: 10 }),
      call('cron', { status: {}, ttl_ms: 5000 }),
      call('cron', { ...set, channel: 'science:nowhere' }),
      call('cron', { ...set, channel: 'science:secret' }),
    ])
    expect([id, ...others.map(({ status }) => status)]).toEqual([409, 400, 400, 400, 404, 403])
    expect(await nextPresence(bus, ada)).toEqual([])
  })
})

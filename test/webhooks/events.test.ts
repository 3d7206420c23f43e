/** What receivers get: events of each type, with a signature, in batches, in order, and no private channel unnamed. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type Config, webhooksOf } from '@arqonbus/server'
import { startBus } from '@arqonbus/testing'
import { type Receiver, type ReceiverOptions, SECRET, startReceiver } from './support/receiver.ts'

const receivers: Receiver[] = []
afterAll(async () => {
  expect(receivers.flatMap(({ faults }) => faults)).toEqual([])
  for (const receiver of receivers) await receiver.stop()
})
const receive = (options?: ReceiverOptions): Receiver => {
  const receiver = startReceiver(options)
  receivers.push(receiver)
  return receiver
}

/** A bus whose events go to a receiver. */
async function start(events: readonly string[], config: Partial<Config> = {}) {
  const receiver = receive()
  const webhooks = webhooksOf([{ url: receiver.url, events, secret: SECRET }])
  const bus = await startBus({ webhooksAllowPrivate: true, adminKey: 'key', webhooks, ...config })
  return { bus, receiver }
}

const typesOf = ({ events }: Receiver) => events.map(({ type, data }) => [type, data.channel ?? data.client_id])

describe('events', () => {
  test('a client that connects, joins, leaves and disconnects is reported in this order', async () => {
    const { bus, receiver } = await start([
      'client.connected',
      'client.disconnected',
      'channel.occupied',
      'channel.vacated',
    ])
    const ann = await bus.as('ann', 'science:a')
    const bob = await bus.as('bob', 'science:a')
    await bob.close()
    await receiver.event(({ type }) => type === 'client.disconnected')
    await ann.close()
    await receiver.until(6)
    expect(typesOf(receiver)).toEqual([
      ['client.connected', 'ann'],
      ['channel.occupied', 'a'],
      ['client.connected', 'bob'],
      ['client.disconnected', 'bob'],
      ['channel.vacated', 'a'],
      ['client.disconnected', 'ann'],
    ])
    expect(receiver.events[0]!.data).toEqual({
      client_id: 'ann',
      client_type: 'human',
      kind: 'connection',
      resumed: false,
    })
    expect(receiver.events[1]!.data).toEqual({ room: 'science', channel: 'a' })
    expect(receiver.events[5]!.data).toMatchObject({ client_id: 'ann', code: 1000, connected_ms: expect.any(Number) })
    expect(new Set(receiver.events.map(({ id }) => id)).size).toBe(6)
  })

  test('a room that an admin pauses is reported once, and a pattern selects rooms', async () => {
    const { bus, receiver } = await start(['room.paused:team-*', 'client.disconnected'])
    const admin = await bus.connect({ query: { client_id: 'admin' }, headers: { authorization: 'Bearer key' } })
    await bus.as('ann', 'team-a:a', 'other:a')
    for (const room of ['other', 'team-a', 'team-a']) await admin.command('pause_room', { room })
    await admin.close()
    await receiver.event(({ type }) => type === 'client.disconnected')
    expect(receiver.events.map(({ type, data }) => [type, data.room])).toEqual([
      ['room.paused', 'team-a'],
      ['client.disconnected', undefined],
    ])
  })

  test('a published message is delivered as subscribers get it, byte for byte', async () => {
    const { bus, receiver } = await start(['message.published:science:*'])
    const ann = await bus.as('ann', 'science:a')
    const id = 'arq_exact'
    ann.raw(
      `{"version":"1.0","id":"${id}","type":"event","room":"science","channel":"a","from":"ann","timestamp":"2026-11-21T12:00:00Z","payload":{"n":1e400,"z":1,"a":1.0}}`,
    )
    await receiver.until(1)
    expect(receiver.requests[0]!.body).toContain('"payload":{"n":1e400,"z":1,"a":1.0}')
    const { data, timestamp } = receiver.events[0]!
    expect(data).toMatchObject({ id, room: 'science', channel: 'a', from: 'ann', timestamp })
    expect(data.metadata).toEqual({ position: expect.stringMatching(/^\d+-1$/) })
  })

  test('messages come in the order of their channel, in batches', async () => {
    const { bus, receiver } = await start(['message.published:science:a', 'message.published:science:b'])
    const ann = await bus.as('ann')
    const count = 400
    for (let n = 0; n < count; n++) ann.send({ channel: n % 2 === 0 ? 'a' : 'b', payload: { n } })
    await receiver.until(count)
    for (const channel of ['a', 'b']) {
      const numbers = receiver.events
        .filter(({ data }) => data.channel === channel)
        .map(({ data }) => (data.payload as { n: number }).n)
      expect(numbers).toEqual(Array.from({ length: count / 2 }, (_, i) => 2 * i + (channel === 'a' ? 0 : 1)))
    }
    expect(receiver.requests.length).toBeLessThan(count / 4)
    expect(Math.max(...receiver.requests.map(({ events }) => events.length))).toBeLessThanOrEqual(100)
    expect(await bus.metric('arqonbus_webhook_events_delivered_total')).toBe(count)
  })

  test('patterns select channels, and messages to a whole room fit only the pattern of a whole room', async () => {
    const { bus, receiver } = await start(['message.published:ops:agent-*', 'message.published:team-*:*'])
    const ann = await bus.as('ann')
    const places = ['ops:agent-1', 'ops:other', 'ops:*', 'team-x:a', 'team-x:*', 'elsewhere:a', 'team-y:end']
    for (const place of places) {
      const [room = '', channel = ''] = place.split(':')
      await ann.publish({ room, channel })
    }
    await receiver.event(({ data }) => data.channel === 'end')
    expect(receiver.events.map(({ data }) => `${data.room}:${data.channel}`)).toEqual([
      'ops:agent-1',
      'team-x:a',
      'team-x:*',
      'team-y:end',
    ])
  })

  test('of a private channel nothing is sent unless a pattern names it exactly, and of private messages nothing at all', async () => {
    const [any, exact] = [receive(), receive()]
    const bus = await startBus({
      webhooksAllowPrivate: true,
      webhooks: webhooksOf([
        { url: any.url, events: ['channel.occupied', 'channel.vacated', 'message.published:*:*'], secret: SECRET },
        { url: exact.url, events: ['channel.occupied:lab:secret', 'message.published:lab:secret'], secret: SECRET },
      ]),
    })
    const ann = await bus.as('ann')
    const bob = await bus.as('bob')
    await ann.command('create_channel', { channel: 'lab:secret', type: 'private' })
    await ann.command('join_channel', { channel: 'lab:secret' })
    await ann.publish({ room: 'lab', channel: 'secret' })
    await ann.publish({ type: 'private', room: 'lab', channel: 'pm', metadata: { to: 'bob' } })
    await ann.command('leave_channel', { channel: 'lab:secret' })
    await bob.publish({ room: 'lab', channel: 'open' })
    await any.event(({ data }) => data.channel === 'open')
    const seenBy = ({ events }: Receiver) => events.map(({ type, data }) => `${type} ${data.channel}`)
    expect(seenBy(any)).toEqual(['message.published open'])
    await exact.until(2)
    expect(seenBy(exact)).toEqual(['channel.occupied secret', 'message.published secret'])
  })

  test('while a secret is being replaced, requests are signed with both', async () => {
    const next = `whsec_${Buffer.from('another secret of 28 bytes!!').toString('base64')}`
    const receiver = receive({ secrets: [SECRET, next] })
    const webhooks = webhooksOf([{ url: receiver.url, events: ['client.connected'], secret: [SECRET, next] }])
    const bus = await startBus({ webhooksAllowPrivate: true, webhooks })
    await bus.as('ann')
    expect((await receiver.until(1))[0]).toMatchObject({ type: 'client.connected', data: { client_id: 'ann' } })
  })

  test('a server that ends delivers what its last clients did', async () => {
    const { bus, receiver } = await start(['client.disconnected'])
    await bus.as('ann')
    await bus.drain('a test')
    expect(receiver.events.map(({ data }) => data.client_id)).toEqual(['ann'])
  })
})

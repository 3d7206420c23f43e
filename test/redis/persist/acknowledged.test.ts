/**
 * The guarantee of an acknowledgement at `stored` or `disk`: the message is found after a `kill -9`, in any kind of log
 * (protocol, restarts).
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, refusal, type TestClient, withProgram } from '@arqonbus/testing'
import { caller, messagesOf } from '../../api/call.ts'
import { as, comeBack, createFixture } from './fixture.ts'

setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const fixture = createFixture({ appendfsync: 'always' })
  const settings = { ARQONBUS_RATE_LIMIT: 'off' }
  const startProcess = () => fixture.startProcess(settings)
  const killed = (bus: Parameters<typeof fixture.killed>[0]) => fixture.killed(bus, settings)
  const onDisk = { ack: 'disk' }
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
  const payloadsOf = async (client: TestClient, channel: string) =>
    (await client.command('history', { channel })).messages.map(({ payload }) => payload.n)

  describe('a kill -9 of the server right after the last acknowledgement', () => {
    test('after a kill -9 of the server every new channel is found, and a room-wide join lists all of them', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      const positions = await Promise.all(
        numbers(400).map(async (n) => {
          const { position } = await ann.publish({ room: 'born', channel: `c${n}`, payload: { n }, metadata: onDisk })
          return position
        }),
      )
      const again = await killed(bus)

      const later = await as(again, 'later')
      const found = await Promise.all(numbers(400).map((n) => payloadsOf(later, `born:c${n}`)))
      expect(found).toEqual(numbers(400).map((n) => [n]))
      const joined = await later.command('join_channel', { channel: 'born:*', since: { c0: positions[0]! } })
      if (!('channels' in joined)) throw new Error('a join of a room lists its channels')
      expect(joined.recoverable).toBeTrue()
      expect(joined.channels!.map(({ channel }) => channel).toSorted()).toEqual(
        numbers(400)
          .map((n) => `born:c${n}`)
          .toSorted(),
      )
      for (let n = 1; n < 400; n++) await later.next((frame) => frame.type === 'event')
      await again.stop('SIGKILL')
    })

    test('after a kill -9 of the server new broadcasts, messages by HTTP and recreated channels are found', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      const call = caller(bus.httpUrl)
      const publish = (room: string, channel: string, n: number) =>
        ann.publish({ room, channel, payload: { n }, metadata: onDisk })
      for (const n of numbers(4)) {
        await publish('again', 'c', n)
        await ann.command('delete_channel', { channel: 'again:c' })
      }
      const publishAll = async (n: number) => {
        await publish(`room${n}`, '*', n)
        const body = JSON.stringify({ payload: { n }, metadata: onDisk })
        expect((await call(messagesOf('http', `c${n}`), { body })).body).toMatchObject({ durability: 'disk' })
      }
      await Promise.all([...numbers(50).map(publishAll), publish('again', 'c', 4)])
      const again = await killed(bus)

      const later = await as(again, 'later')
      for (const n of numbers(50)) {
        expect(await payloadsOf(later, `room${n}:*`)).toEqual([n])
        expect(await payloadsOf(later, `http:c${n}`)).toEqual([n])
      }
      expect(await payloadsOf(later, 'again:c')).toEqual([4])
      await again.stop('SIGKILL')
    })

    test('after a kill -9 of the server the inbox of each new session with a private message is found', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      const recipients = await Promise.all(
        numbers(20).map(async (n) => {
          const client = await as(bus, `new${n}`)
          await ann.publish({ type: 'private', channel: 'pm', payload: { n }, metadata: { ...onDisk, to: client.id } })
          return client
        }),
      )
      const again = await killed(bus)

      for (const [n, client] of recipients.entries()) {
        const later = await comeBack(client, again)
        expect(later.welcome.resumed).toBeTrue()
        expect(await payloadsOf(later, 'arqonbus:inbox')).toEqual([n])
      }
      await again.stop('SIGKILL')
    })
  })

  test('a message is refused while the record of its channel cannot be stored, and other channels accept messages', async () => {
    const bus = await fixture.start()
    const ann = await bus.as('ann')
    const publish = (room: string, ack: unknown = true) =>
      ann.publish({ room, channel: 'c', payload: { n: 1 }, metadata: { ack } })
    await publish('old')
    await ann.publish({ room: 'bad', channel: 'first' })
    // The key for records of further channels of this room is damaged.
    const [key] = (await fixture.redis.command('KEYS', '*@channels:bad')) as [string]
    await fixture.redis.command('SET', key, 'something else')
    const [refused, ...taken] = await Promise.all([
      refusal(publish('bad')),
      publish('old', 'disk'),
      publish('good', 'disk'),
    ])
    expect(refused).toMatchObject({ code: 'storage_unavailable', details: { reason: 'damaged' } })
    expect(taken).toMatchObject([{ durability: 'disk' }, { durability: 'disk' }])
    await fixture.redis.command('DEL', key)
    await eventually(async () => expect(await publish('bad')).toMatchObject({ durability: 'disk' }))
    await bus.drain('the test')
    const again = await fixture.start()
    expect(await payloadsOf(await again.as('later'), 'bad:c')).toEqual([1])
    await again.drain('the test')
  })
})

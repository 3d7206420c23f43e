/** Acknowledged messages are kept: a bus with a real Redis. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually, startBus, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

withProgram('redis-server', 'messages in Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test('a message is acknowledged as stored, delivered with its position and still there after a restart', async () => {
    const bus = await startBus({ redisUrl: redis.url })
    const [ann, bob] = [await bus.as('ann', 'science:kept'), await bus.as('bob', 'science:kept')]
    const first = await ann.publish({ channel: 'kept', payload: { n: 1 }, metadata: { ack: true } })
    expect(first).toMatchObject({ durability: 'stored', duplicate: false, recipients: 2 })
    const delivered = await bob.next((frame) => frame.type === 'event')
    expect(delivered).toMatchObject({ from: 'ann', payload: { n: 1 }, metadata: { position: first.position } })
    await bus.drain('the test')

    const again = await startBus({ redisUrl: redis.url })
    const cid = await again.as('cid', 'science:kept')
    expect(await cid.command('history', { room: 'science', channel: 'kept' })).toMatchObject({
      messages: [{ from: 'ann', payload: { n: 1 }, metadata: { position: first.position } }],
      first: first.position,
      last: first.position,
      has_more: false,
    })
    const second = await cid.publish({ channel: 'kept', payload: { n: 2 }, metadata: { ack: 'stored' } })
    expect(second.position?.split('-')[1]).toBe('2')
    await eventually(() => expect(again.metric('arqonbus_storage_available')).resolves.toBe(1))
  })
})

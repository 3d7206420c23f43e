/** Rates belong to the client id or subject, not to the connection (docs/protocol.md#accounts). */
import { describe, expect, test } from 'bun:test'
import { type RefusedError, refusal, type TestClient, testClock } from '@arqonbus/testing'
import { bearer, createIssuer } from '@arqonbus/testing/tokens'
import { caller, as as headerOf, messagesOf } from '../api/call.ts'
import { AWAY, at, behindProxy, HOME } from './addresses.ts'

const rateLimit = { perSecond: 10, burst: 20 }
const rated = (config: Parameters<typeof behindProxy>[0] = {}) => {
  const clock = testClock()
  return behindProxy({ rateLimit, ...config }, { clock }).then((bus) => ({ bus, clock }))
}

/** Publishes so often at once; returns how many were refused. */
async function refusedOf(client: TestClient, count: number): Promise<number> {
  const outcomes = Array.from({ length: count }, (_, n) =>
    client.publish({ room: 'a', channel: 'b', payload: { n } }).then(
      () => 0,
      ({ error }: RefusedError) => {
        expect(error.code).toBe('rate_limited')
        return 1
      },
    ),
  )
  return (await Promise.all(outcomes)).reduce<number>((sum, one) => sum + one, 0)
}

describe('the rate of messages', () => {
  test('a client that reconnects has the rate that it had, and the time since then', async () => {
    const { bus, clock } = await rated()
    const ann = await at(bus, HOME, 'ann', { session: 'none' })
    expect(await refusedOf(ann, 25)).toBe(5)
    await ann.close()
    const again = await at(bus, HOME, 'ann', { session: 'none' })
    expect(await refusedOf(again, 5)).toBe(5)
    clock.advance(300)
    expect(await refusedOf(again, 3)).toBe(0)
  })

  test('WebSocket, HTTP and telemetry of one client have one rate, and another client has its own', async () => {
    const { bus } = await rated()
    const ann = await bus.brief('ann')
    expect(await refusedOf(ann, 25)).toBe(5)
    await ann.close()
    const call = caller(bus.httpUrl)
    const send = (id: string) => call(messagesOf('a', 'b'), { body: '{"payload":{}}', headers: headerOf(id) })
    expect([(await send('ann')).status, (await send('bob')).status]).toEqual([429, 201])
    const batch = { body: '{"messages":[{"room":"a","channel":"b","payload":{}}]}' }
    expect((await call('/messages', { ...batch, headers: headerOf('ann') })).status).toBe(429)
    const listener = await bus.listen({ client_id: 'ann' })
    const id = listener.send({
      ...{ type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream' },
      payload: { eventType: 'x', payload: {} },
    })
    expect(await listener.answer(id)).toMatchObject({ error: { code: 'rate_limited' } })
  })

  test('all client ids of one subject have one rate, wherever they connect from', async () => {
    const issuer = await createIssuer()
    const clock = testClock()
    const bus = await behindProxy({ ...issuer.config, rateLimit }, { clock })
    const token = await issuer.token('ann', { now: clock.now() })
    const connect = (id: string, address: string) =>
      bus.connect({ query: { client_id: id }, headers: { ...bearer(token), 'x-forwarded-for': address } })
    const tabs = await Promise.all([connect('ann--one', HOME), connect('ann--two', AWAY), connect('ann', HOME)])
    expect(await refusedOf(tabs[0]!, 10)).toBe(0)
    expect(await refusedOf(tabs[1]!, 15)).toBe(5)
    expect(await refusedOf(tabs[2]!, 5)).toBe(5)
  })

  test('all client ids of one address share a rate, and another address has its own', async () => {
    const { bus } = await rated({ addressRate: { perSecond: 10, burst: 60 } })
    let refused = 0
    for (let id = 0; id < 5; id++) refused += await refusedOf(await at(bus, AWAY, `eve-${id}`), 20)
    expect(refused).toBe(40)
    expect(await bus.metric('arqonbus_limits_hit_total{limit="address_rate"}')).toBe(40)
    const eve = await at(bus, AWAY, 'eve-last')
    expect(await refusal(eve.publish({ room: 'a', channel: 'b' }))).toMatchObject({
      code: 'rate_limited',
      details: { limit: 'address_rate', messages_per_second: 10 },
      retry_after_ms: expect.any(Number),
    })
    expect(await refusedOf(await at(bus, HOME, 'ann'), 15)).toBe(0)
  })
})

test('the rate of a costly command is that of the client, whatever it uses', async () => {
  const { bus } = await rated({ rateLimit: { perSecond: 1000, burst: 2000 }, commandRate: { perSecond: 1, burst: 3 } })
  const ann = await at(bus, HOME, 'ann', { session: 'none' })
  for (let n = 0; n < 3; n++) await ann.command('status')
  await ann.close()
  const again = await at(bus, HOME, 'ann', { session: 'none' })
  expect(await refusal(again.command('status'))).toMatchObject({ code: 'rate_limited', details: { command: 'status' } })
  await again.close()
  const call = caller(bus.httpUrl)
  const headers = { ...headerOf('ann'), 'x-forwarded-for': HOME }
  expect((await call('/status', { headers })).status).toBe(429)
})

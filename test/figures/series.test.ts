/** `GET /api/v1/series`: the figures over time. */
import { expect, test } from 'bun:test'
import { compile, Series } from '@arqonbus/protocol'
import { refusal } from '@arqonbus/testing'
import { EVERY_MS, POINTS, send, startMeasured } from './measured.ts'

test('a server that has just started has no points, and says since when', async () => {
  const bus = await startMeasured()
  const { body, status } = await bus.call('/series')
  expect([status, compile(Series)(body)]).toEqual([200, undefined])
  expect(body.every_ms).toBe(EVERY_MS)
  expect(body.until).toBe(new Date(bus.clock.now()).toISOString())
  for (const points of Object.values(body.series)) expect(points).toEqual(Array(POINTS).fill(null))
})

test('a point has the rates since the point before, and the counts as of its time', async () => {
  const bus = await startMeasured()
  const [ann] = await Promise.all([bus.as('ann'), bus.as('bob', 'talk:a'), bus.as('carol', 'talk:a')])
  bus.sample()
  // The ping that waits for them is a frame too.
  await send(ann, 'talk:a', 99)
  bus.sample()
  const { series, until } = await bus.series()
  expect(until).toBe(new Date(bus.clock.now()).toISOString())
  expect(series.messages_per_second.slice(-2)).toEqual([expect.any(Number), 10])
  expect(series.deliveries_per_second.slice(-2)).toEqual([0, 19.8])
  expect(series.connections.slice(-3)).toEqual([null, 3, 3])
  expect(series.bytes_in_per_second.at(-1)).toBeWithin(1000, 4000)
  expect(series.bytes_out_per_second.at(-1)).toBeWithin(4000, 16_000)
  expect(series.refusals_per_second.at(-1)).toBe(0)
  expect(series.processor.at(-1)).toBeWithin(0, 2)
  expect(series.event_loop_delay_ms.at(-1)).toBeGreaterThanOrEqual(0)
  expect(series.append_ms.at(-1)).toBeNull()
  bus.sample()
  expect(await bus.latest('messages_per_second')).toBe(0)
})

test('a series has the last 15 minutes, oldest first', async () => {
  const bus = await startMeasured()
  const ann = await bus.as('ann')
  for (let i = 1; i <= POINTS + 2; i++) {
    await send(ann, 'talk:a', 10 * i - 1)
    bus.sample()
  }
  const { series } = await bus.series()
  expect(series.messages_per_second).toEqual(Array.from({ length: POINTS }, (_, i) => i + 3))
})

test('the time in which the process was frozen has no points', async () => {
  const bus = await startMeasured()
  bus.sample()
  bus.clock.advance(1)
  bus.clock.freeze(30_000)
  bus.sample()
  expect((await bus.series()).series.connections.slice(-6)).toEqual([null, 0, null, null, null, 0])
})

test('refused frames are a series', async () => {
  const bus = await startMeasured()
  const ann = await bus.as('ann')
  for (let i = 0; i < 20; i++) await refusal(ann.publish({ room: 'arqonbus', channel: 'control' }))
  bus.sample()
  expect(await bus.latest('refusals_per_second')).toBe(2)
})

test('the endpoint takes the credentials, the parameters and the rate of its siblings', async () => {
  const bus = await startMeasured({
    rateLimit: { perSecond: 100, burst: 100 },
    commandRate: { perSecond: 10, burst: 3 },
  })
  const headers = { authorization: 'Bearer wrong' }
  for (const path of ['/series', '/status'])
    expect(await bus.call(path, { headers })).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthenticated' } },
    })
  expect(await bus.call('/series?limit=1')).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_parameters' } },
  })
  expect(await bus.call('/series', { method: 'POST', body: '{}' })).toMatchObject({ status: 405 })
  for (const path of ['/series', '/status']) {
    for (let i = 0; i < 3; i++) expect((await bus.call(path)).status).toBe(200)
    expect(await bus.call(path)).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } })
  }
  expect(await bus.metric('arqonbus_limits_hit_total{limit="command_rate"}')).toBe(2)
})

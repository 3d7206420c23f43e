/** The HTTP API of a bus with a real Redis, whose replies arrive later. */
import { expect, test } from 'bun:test'
import { eventually, redisPerTest, startBus, withProgram } from '@arqonbus/testing'
import { as, caller, EVENTS, messagesOf, openStream } from '../api/call.ts'

withProgram('redis-server', 'the HTTP API with Redis', () => {
  const start = redisPerTest()
  const setUp = async () => {
    const redis = await start()
    const settings = { redisUrl: redis.url }
    const bus = await startBus(settings)
    return { redis, settings, bus, call: caller(bus.httpUrl) }
  }
  const path = messagesOf('science', 'a')
  const body = (n: number, id?: string) =>
    JSON.stringify({ ...(id !== undefined && { id: `arq_${id}` }), payload: { n } })
  const numberIn = (data: string): number => JSON.parse(data).payload.n

  test('a message by HTTP is stored once, survives a restart, and a stream resumes after it on the new server', async () => {
    const { settings, bus, call } = await setUp()
    const stream = await openStream(bus.httpUrl, 'science:a')
    await stream.nextOf('joined')
    const first = await call(path, { body: body(1, 'one'), headers: as('svc') })
    expect([first.status, first.body.durability]).toEqual([201, 'stored'])
    const { id } = await stream.nextOf('message')
    expect(id).toBe(first.body.position)
    await bus.drain('the test')

    const again = await startBus(settings)
    const ask = caller(again.httpUrl)
    const second = await ask(path, { body: body(1, 'one'), headers: as('svc') })
    expect([second.status, second.body.position, second.body.duplicate]).toEqual([200, id, true])
    await ask(path, { body: body(2) })
    const later = await openStream(again.httpUrl, 'science:a', { 'last-event-id': id! })
    expect(JSON.parse((await later.nextOf('joined')).data).recovered).toBe(true)
    expect(numberIn((await later.nextOf('message')).data)).toBe(2)
    expect((await ask(path)).body.messages).toHaveLength(2)
    later.close()
  })

  test('a message under an Idempotency-Key is known again on another node and after a restart, without a client id too', async () => {
    const { settings, bus, call } = await setUp()
    const other = await startBus(settings)
    const headers = { 'idempotency-key': 'order-17' }
    const [first] = [await call(path, { body: body(1), headers })]
    const onOther = await caller(other.httpUrl)(path, { body: body(1), headers })
    expect([first.status, onOther.status, onOther.body.position]).toEqual([201, 200, first.body.position])
    await bus.drain('the test')
    const again = caller((await startBus(settings)).httpUrl)
    const restarted = await again(path, { body: body(1), headers })
    expect([restarted.status, restarted.body]).toEqual([200, { ...first.body, duplicate: true }])
    expect((await again(path, { body: body(2), headers })).body.error.code).toBe('id_conflict')
    expect((await again(path)).body.messages).toHaveLength(1)
  })

  test('a batch is stored in its order, to one channel and several, with more messages than may wait at once', async () => {
    const { bus, call } = await setUp()
    const reader = await bus.as('reader', 'science:a')
    const messages = Array.from({ length: 300 }, (_, n) => ({
      room: 'science',
      channel: n % 10 === 9 ? `other-${n}` : 'a',
      payload: { n },
    }))
    const { status, body: answer } = await call('/messages', { body: JSON.stringify({ messages }) })
    expect(status).toBe(200)
    const outcomes = answer.results as { status: number; durability: string; position: string }[]
    expect(outcomes.every((one) => one.status === 201 && one.durability === 'stored')).toBe(true)
    const own = messages.filter(({ channel }) => channel === 'a')
    const read = await reader.messages()
    expect(read.map(({ payload }) => payload.n)).toEqual(own.map(({ payload }) => payload.n))
    expect(read.map(({ metadata }) => metadata!.position!)).toEqual(
      outcomes.filter((_, n) => messages[n]!.channel === 'a').map(({ position }) => position),
    )
  })

  test('while Redis is unreachable an HTTP publish is queued with 202, and one that needs durability is refused with 503', async () => {
    const { redis, bus, call } = await setUp()
    await call(path, { body: body(1) })
    await redis.kill()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
    const held = await call(path, { body: body(2) })
    expect([held.status, held.body.position, held.body.durability]).toEqual([202, null, 'memory'])
    const more = await call(path, { body: '{"payload":{},"metadata":{"ack":"stored"}}' })
    expect([more.status, more.body.error.code]).toEqual([503, 'storage_unavailable'])
    expect(Number(more.headers.get('retry-after'))).toBeGreaterThan(0)
    const stream = await call('/rooms/science/channels/a/stream?since=1-1')
    expect([stream.status, stream.body.error.code]).toEqual([503, 'storage_unavailable'])
    const events = await openStream(bus.httpUrl, 'science:a', { ...EVENTS, 'last-event-id': '1-1' })
    const { event, id, data } = (await events.next())!
    expect([event, id, JSON.parse(data).error.code]).toEqual(['refused', undefined, 'storage_unavailable'])
  })

  test('a stream that waits for its channel gets everything once another node creates the channel', async () => {
    const redis = await start()
    // Periodic tasks run continuously.
    const often = (_: number, task: () => void) => {
      const timer = setInterval(task, 20)
      return () => clearInterval(timer)
    }
    const [here, there] = await Promise.all([
      startBus({ redisUrl: redis.url }, { every: often }),
      startBus({ redisUrl: redis.url }),
    ])
    const stream = await openStream(here.httpUrl, 'science:a')
    expect(JSON.parse((await stream.nextOf('joined')).data).waiting).toBe(true)
    for (const n of [1, 2]) await caller(there.httpUrl)(path, { body: body(n) })
    const events = [await stream.nextOf('message'), await stream.nextOf('message')]
    expect(events.map(({ data }) => numberIn(data))).toEqual([1, 2])
    stream.close()
  })
})

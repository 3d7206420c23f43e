/** A refusal lists all faults of a frame, so that one correction is enough (docs/protocol.md#replies-and-errors). */
import { describe, expect, test } from 'bun:test'
import type { ErrorDetails } from '@arqonbus/protocol'
import { refusal, startBus, type TestClient } from '@arqonbus/testing'

const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ adminKey })

type Json = Record<string, unknown>

/** What a refusal says about a frame that a client sends. */
async function refused(client: TestClient, frame: Json) {
  client.raw(JSON.stringify(frame))
  const { error } = await client.answer(typeof frame.id === 'string' && frame.id.startsWith('arq_') ? frame.id : null)
  return { code: error!.code, details: error!.details! }
}

/** What a person writes where the refusal asks for something, knowing nothing but its words. */
function written(expected: string): unknown {
  const form = expected.replace('to be present: ', '')
  if (form.startsWith('"')) return JSON.parse(form)
  if (form.startsWith('one of ')) return JSON.parse(form.slice('one of '.length).split(', ')[0]!)
  if (form.includes('arq_')) return 'arq_by_hand'
  if (form.startsWith('text of the form')) return 'hall'
  if (form.includes('ISO 8601')) return '2026-11-21T12:00:00Z'
  if (form === 'object') return {}
  return form
}

/** Changes a frame at every place that the refusal lists. */
function corrected(frame: Json, { path, expected, faults = [{ path: path!, expected: expected! }] }: ErrorDetails) {
  const copy = structuredClone(frame)
  for (const fault of faults) {
    const steps = fault.path.split('/').slice(1)
    const name = steps.pop()!
    const parent = steps.reduce((part, step) => part[step] as Json, copy)
    if (fault.expected.startsWith('to be absent')) delete parent[name]
    else parent[name] = written(fault.expected)
  }
  return copy
}

describe('a frame that was typed by hand', () => {
  const typed: Record<string, Json> = {
    'with nothing': {},
    'with a text': { text: 'hello' },
    'as one would guess it': { type: 'message', room: 'hall', channel: 'hall', sender: 'me', payload: 'hello' },
    'with the id of another client': { type: 'event', id: '1', from: 'bob', timestamp: 'now', payload: {} },
    'of a type of the server': { version: 1, id: 'arq_by_hand', type: 'system', payload: null },
    'with an unknown version': { version: '2.0', id: 'arq_by_hand', type: 'event', room: 'a b', channel: '' },
    'with wrong metadata': {
      type: 'event',
      payload: {},
      metadata: { position: '1-1', arq_trace: 1, ack: true, key: '' },
    },
  }
  test.each(Object.entries(typed))(
    'a frame that was typed by hand is accepted after one correction: %s',
    async (_, frame) => {
      const client = await bus.connect()
      const { details } = await refused(client, frame)
      const correct = corrected(frame, details)
      expect(correct.id).toBe('arq_by_hand')
      client.raw(
        JSON.stringify({ ...correct, id: 'arq_again', metadata: { ...(correct.metadata as Json), ack: true } }),
      )
      expect((await client.answer('arq_again')).status).toBe('success')
      await client.close()
    },
  )

  test('what only the connection shows is listed too: the sender and the types that may be sent', async () => {
    const client = await bus.connect({ query: { client_id: 'ada' } })
    const { code, details } = await refused(client, { version: '1.0', id: 'arq_1', type: 'system' })
    expect(code).toBe('invalid_envelope')
    expect(details.faults).toContainEqual({ path: '/from', expected: 'ada' })
    expect(details.faults).toContainEqual({
      path: '/type',
      expected: 'one of "event", "private", "command", "telemetry"',
    })
    const wellFormed = { room: 'a', channel: 'a', timestamp: '2026-11-21T12:00:00Z', payload: {} }
    const both = await refused(client, { version: '1.0', id: 'arq_2', type: 'system', from: 'bob', ...wellFormed })
    expect([both.code, both.details.faults?.map(({ path }) => path)]).toEqual(['forbidden_type', ['/type', '/from']])
    const sender = await refused(client, { version: '1.0', id: 'arq_3', type: 'event', from: 'bob', ...wellFormed })
    expect([sender.code, sender.details]).toEqual(['sender_mismatch', { path: '/from', expected: 'ada' }])
    await client.close()
  })

  test('a telemetry subscriber is told that it may send telemetry only', async () => {
    const watcher = await bus.listen({ client_id: 'watcher' })
    const { details } = await refused(watcher, { type: 'event' })
    expect(details.faults).toContainEqual({ path: '/type', expected: 'one of "telemetry"' })
    expect(details.faults).toContainEqual({ path: '/from', expected: 'watcher' })
    await watcher.close()
  })
})

test('of a frame with very many members the first fault is listed, with those that only the connection shows', async () => {
  const client = await bus.connect({ query: { client_id: 'many' } })
  const payload = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`member-${i}`, i]))
  const { code, details } = await refused(client, { type: 'system', room: '!', from: 'bob', payload })
  expect(code).toBe('invalid_envelope')
  expect(details.faults?.map(({ path }) => path)).toEqual([details.path!, '/type', '/from'])
  await client.close()
})

test('a refusal of a command lists all faults of its parameters and of its payload', async () => {
  const client = await bus.as('commander')
  const wrong = await refusal(client.command('history', { limit: 'x', channel: '!', nonsense: 1 } as never))
  expect(wrong.details?.faults?.map(({ path }) => path).toSorted()).toEqual([
    '/parameters/channel',
    '/parameters/limit',
    '/parameters/nonsense',
  ])
  client.send({ id: 'arq_bad', type: 'command', payload: { name: 'history', args: {}, parameters: { limit: 0 } } })
  const { error } = await client.answer('arq_bad')
  expect(error!.details!.faults!.map(({ path }) => path)).toEqual(['/args', '/parameters/limit'])
})

test('a refusal of a command that lists several faults consumes a token of the rate for each', async () => {
  const slow = await startBus({ rateLimit: { perSecond: 0.001, burst: 10 } })
  const client = await slow.connect()
  const parameters = { channel: '!', since: 'x', type: 'x', presence: 1, nonsense: 1, more: 2, most: 3, other: 4 }
  expect((await refusal(client.command('join_channel', parameters as never))).details?.faults).toHaveLength(8)
  await client.command('ping')
  await client.command('ping')
  expect((await refusal(client.command('ping'))).code).toBe('rate_limited')
})

test('a refusal of a telemetry event lists all of its faults', async () => {
  const client = await bus.as('reporter')
  const event = { type: 'telemetry', room: 'hall', channel: 'elsewhere', payload: { eventType: 1, more: 2 } }
  const { code, details } = await refusal(client.publish(event as never))
  expect(code).toBe('invalid_telemetry')
  expect(details?.faults?.map(({ path }) => path).toSorted()).toEqual([
    '/channel',
    '/payload/eventType',
    '/payload/more',
    '/payload/payload',
    '/room',
  ])
  const inAnotherRoom = { ...event, channel: 'telemetry-stream', payload: { eventType: 'tick', payload: {} } }
  expect((await refusal(client.publish(inAnotherRoom as never))).details).toEqual({
    path: '/room',
    expected: 'integriguard',
  })
})

test('a refused call over HTTP lists all faults of its message or of its parameters', async () => {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${bus.httpUrl}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const { error } = (await response.json()) as { error: { details: ErrorDetails } }
    return error.details.faults?.map(({ path: place }) => place).toSorted()
  }
  const messages = '/rooms/hall/channels/a/messages'
  expect(await post(messages, { payload: 1, text: 'x', metadata: { key: '' } })).toEqual([
    '/metadata/key',
    '/payload',
    '/text',
  ])
  expect(await post(messages, { payload: {}, room: 'b', channel: 'c', type: 'command' })).toEqual([
    '/channel',
    '/room',
    '/type',
  ])
  expect(await post('/commands/create_channel', { type: 1, nonsense: 2 })).toEqual([
    '/parameters/nonsense',
    '/parameters/type',
  ])
})

test('the schema of replies and the API description know the list of faults', async () => {
  const document = (await (await fetch(`${bus.httpUrl}/openapi.json`)).json()) as {
    components: { schemas: { Error: { properties: { error: { properties: { details: { properties: Json } } } } } } }
  }
  const { details } = document.components.schemas.Error.properties.error.properties
  expect(details.properties.faults).toMatchObject({ type: 'array', maxItems: 16 })
})

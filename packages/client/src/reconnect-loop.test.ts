import { expect, test } from 'bun:test'
import { createFakeSockets } from '../test/support/fake-sockets.ts'
import { createManualClock } from '../test/support/manual-clock.ts'
import type { ArqonBusError } from './errors.ts'
import { ReconnectLoop, type ReconnectLoopOptions } from './reconnect-loop.ts'

/** Resolves after the target is resolved and the socket created. */
const opened = () => new Promise<void>((resolve) => setImmediate(resolve))

function setUp(about: Partial<ReconnectLoopOptions> = {}) {
  const clock = createManualClock()
  const { WebSocket, sockets } = createFakeSockets()
  const calls: string[] = []
  let ended: { error: ArqonBusError | undefined } | undefined
  const reconnectLoop = new ReconnectLoop({
    target: async () => ({ WebSocket, url: 'ws://bus/', protocols: ['arqonbus.v1'] }),
    clock,
    random: () => 0.5,
    connectTimeoutMs: 10_000,
    closeTimeoutMs: 2000,
    reconnect: {},
    canRenewToken: false,
    ...about,
  })
  reconnectLoop.start({
    onWelcome: (welcome) => calls.push(`welcome ${welcome.session}`),
    onFrame: (frame) => calls.push(`frame ${frame.id}`),
    onLost: ({ code, retryInMs }) => calls.push(`lost ${code} ${retryInMs}`),
    onEnd(error) {
      ended = { error }
      calls.push('end')
    },
  })
  return { clock, sockets, calls, reconnectLoop, ended: () => ended?.error }
}

test('frames are exchanged only between the welcome and the close', async () => {
  const { sockets, calls, reconnectLoop } = setUp()
  expect(reconnectLoop.state()).toBe('connecting')
  expect(reconnectLoop.send('early')).toBe(false)
  await opened()
  sockets[0]?.welcome()
  sockets[0]?.deliver({ id: 'arq_1', type: 'event', payload: {} })
  for (const noise of ['no JSON', '7', 'null', '{}']) sockets[0]?.deliver(noise)
  expect(reconnectLoop.state()).toBe('open')
  expect(reconnectLoop.send('hello')).toBe(true)
  expect(sockets[0]?.sent).toEqual(['hello'])
  reconnectLoop.close()
  expect(reconnectLoop.send('late')).toBe(false)
  sockets[0]?.end(1000)
  expect(reconnectLoop.state()).toBe('closed')
  expect(calls).toEqual(['welcome s1', 'frame arq_1', 'end'])
})

test('the client reconnects after a loss with growing delays, which a lasting connection resets', async () => {
  const { clock, sockets, calls, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  sockets[0]?.end(1006)
  expect(reconnectLoop.state()).toBe('waiting')
  for (const delay of [125, 250, 500]) {
    clock.advance(delay - 1)
    await opened()
    const before = sockets.length
    clock.advance(1)
    await opened()
    expect(sockets).toHaveLength(before + 1)
    if (delay !== 500) sockets.at(-1)?.end(1006)
  }
  sockets.at(-1)?.welcome()
  clock.advance(10_000)
  sockets.at(-1)?.end(1006)
  const losses = calls.filter((what) => what.startsWith('lost'))
  expect(losses).toEqual(['lost 1006 125', 'lost 1006 250', 'lost 1006 500', 'lost 1006 125'])
})

test('a connection that ends right after its welcome counts as a failure', async () => {
  const { clock, sockets, calls } = setUp()
  for (const delay of [125, 250, 500]) {
    await opened()
    sockets.at(-1)?.welcome()
    sockets.at(-1)?.end(1011)
    clock.advance(delay)
  }
  expect(calls.filter((what) => what.startsWith('lost'))).toEqual(['lost 1011 125', 'lost 1011 250', 'lost 1011 500'])
})

test('a failed first connection is an error at once, unless the options allow retries', async () => {
  const strict = setUp()
  await opened()
  strict.sockets[0]?.end(1006)
  expect(strict.calls).toEqual(['lost 1006 undefined', 'end'])
  expect(strict.ended()).toMatchObject({ code: 'connection_failed', details: { close_code: 1006 } })

  const patient = setUp({ reconnect: { first: true } })
  await opened()
  patient.sockets[0]?.end(1006)
  expect(patient.calls).toEqual(['lost 1006 125'])
})

test('a refusal before the close is the reason of the final error', async () => {
  const { sockets, ended } = setUp()
  await opened()
  const error = {
    code: 'invalid_parameters',
    status: 400,
    message: 'No such client type.',
    details: { path: '/client_type' },
  }
  sockets[0]?.open()
  sockets[0]?.deliver({ type: 'command_response', payload: { request_id: null, status: 'error', error } })
  sockets[0]?.end(4400, 'bad connection parameter')
  expect(ended()).toMatchObject({ code: 'invalid_parameters', details: { path: '/client_type' } })
})

test('a first connection that is refused temporarily is retried when the server says so', async () => {
  const { clock, sockets, calls } = setUp()
  await opened()
  const error = { code: 'storage_unavailable', status: 503, message: 'Not now.', retry_after_ms: 1000 }
  sockets[0]?.open()
  sockets[0]?.deliver({ type: 'command_response', payload: { request_id: null, status: 'error', error } })
  sockets[0]?.end(1013, 'try again later')
  expect(calls).toEqual(['lost 1013 1500'])
  clock.advance(1500)
  await opened()
  sockets[1]?.welcome()
  expect(calls).toEqual(['lost 1013 1500', 'welcome s1'])
})

test('a close code that forbids reconnecting ends the client, with the code in the error', async () => {
  const { sockets, ended, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  sockets[0]?.end(4410, 'taken over')
  expect(ended()).toMatchObject({ code: 'connection_failed', details: { close_code: 4410, reason: 'taken over' } })
  expect(reconnectLoop.state()).toBe('closed')
})

test('a refused upgrade counts as an abnormal close, whatever the runtime reports', async () => {
  const { sockets, calls } = setUp({ reconnect: { first: true } })
  await opened()
  sockets[0]?.end(1002, 'Expected 101 status code')
  expect(calls).toEqual(['lost 1006 125'])
})

test('a connection without a welcome is aborted', async () => {
  const { clock, sockets, calls } = setUp()
  await opened()
  sockets[0]?.open()
  clock.advance(9999)
  expect(calls).toEqual([])
  clock.advance(1)
  expect(sockets[0]?.closedWith).toMatchObject({ code: 1000 })
  clock.advance(0)
  expect(calls).toEqual(['lost 1006 undefined', 'end'])
})

test('a close that is never answered ends after its timeout', async () => {
  const { clock, sockets, calls, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  reconnectLoop.close()
  expect(sockets[0]?.closedWith).toMatchObject({ code: 1000 })
  clock.advance(2000)
  expect(calls).toEqual(['welcome s1', 'end'])
  expect(clock.timers()).toBe(0)
})

test('closing while waiting to reconnect ends the client at once', async () => {
  const { clock, sockets, calls, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  sockets[0]?.end(1006)
  reconnectLoop.close()
  expect(calls.at(-1)).toBe('end')
  clock.advance(60_000)
  await opened()
  expect(sockets).toHaveLength(1)
})

test('the reconnect hint of a shutdown is followed', async () => {
  const { sockets, calls, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  reconnectLoop.hint(4321)
  sockets[0]?.end(1012)
  expect(calls.at(-1)).toBe('lost 1012 4321')
})

test('an aborted connection counts as abnormally closed', async () => {
  const { clock, sockets, calls, reconnectLoop } = setUp()
  await opened()
  sockets[0]?.welcome()
  reconnectLoop.drop('heartbeat lost')
  clock.advance(0)
  expect(calls.at(-1)).toBe('lost 1006 125')
  sockets[0]?.deliver({ id: 'arq_ghost', type: 'event', payload: {} })
  expect(calls.at(-1)).toBe('lost 1006 125')
})

test('a refused token is renewed once, and then the client ends', async () => {
  const { clock, sockets, calls } = setUp({ canRenewToken: true })
  await opened()
  sockets[0]?.welcome()
  clock.advance(20_000)
  sockets[0]?.end(4401)
  clock.advance(125)
  await opened()
  sockets[1]?.open()
  sockets[1]?.end(4401)
  expect(calls).toEqual(['welcome s1', 'lost 4401 125', 'lost 4401 undefined', 'end'])
})

test('a token that cannot be obtained is a failure like any other', async () => {
  let attempts = 0
  const { clock, sockets, calls, ended } = setUp({
    reconnect: { first: true, maxAttempts: 1 },
    target: async () => {
      attempts += 1
      throw new Error('no token today')
    },
  })
  await opened()
  clock.advance(125)
  await opened()
  expect(attempts).toBe(2)
  expect(sockets).toHaveLength(0)
  expect(calls).toEqual(['lost 1006 125', 'lost 1006 undefined', 'end'])
  expect(ended()).toMatchObject({ code: 'connection_failed', cause: new Error('no token today') })
})

test('with reconnecting off the first loss ends the client', async () => {
  const { sockets, calls } = setUp({ reconnect: false })
  await opened()
  sockets[0]?.welcome()
  sockets[0]?.end(1006)
  expect(calls).toEqual(['welcome s1', 'lost 1006 undefined', 'end'])
})

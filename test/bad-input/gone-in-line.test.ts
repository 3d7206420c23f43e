/**
 * Connections that close while their upgrade waits in a queue: no session is created for them, and they count as no
 * fault.
 */
import { expect, test } from 'bun:test'
import { connect } from 'node:net'
import { eventually, startBus } from '@arqonbus/testing'

const CROWD = 1000
const knock = (id: number) =>
  `GET /?client_id=gone-${id}&join=a:b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`

test('many connections that leave before their upgrade leave nothing behind, and none is a bad request', async () => {
  const bus = await startBus()
  const port = Number(new URL(bus.busUrl).port)
  const ends = Array.from({ length: CROWD }, async (_, id) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = connect(port, '127.0.0.1', () => socket.write(knock(id), () => socket.destroy()))
    socket.on('error', () => {}).on('close', () => resolve())
    await promise
  })
  await Promise.all(ends)
  const ann = await bus.as('ann', 'science:a')
  // Some of them are admitted only now, and end at once.
  const left = () => Promise.all([bus.metric('arqonbus_connections'), bus.metric('arqonbus_subscriptions')])
  await eventually(async () => expect(await left()).toEqual([1, 1]))
  expect(await bus.metric('arqonbus_connections_refused_total{reason="bad_request"}')).toBe(0)
  expect(await ann.command('ping')).toBeDefined()
})

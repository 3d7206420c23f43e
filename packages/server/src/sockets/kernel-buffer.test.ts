import { afterAll, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { limitKernelBuffers } from './kernel-buffer.ts'

const KiB = 1024
const sockets: Socket[] = []
afterAll(() => {
  for (const socket of sockets) socket.destroy()
})

/**
 * How many bytes the system takes for a peer that does not read, before any wait in the process; and for how many
 * sockets that was bounded.
 */
async function takenWith(limitBytes: number): Promise<{ bytes: number; bounded: number }> {
  const arrived = Promise.withResolvers<Bun.ServerWebSocket<undefined>>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, upgrading) => (upgrading.upgrade(request) ? undefined : new Response()),
    websocket: { open: arrived.resolve, message: () => {}, backpressureLimit: 64 * KiB * KiB },
  })
  const bounded = limitKernelBuffers([server.port!], limitBytes)
  const peer = connect({ host: '127.0.0.1', port: server.port! })
  sockets.push(peer.pause())
  peer.write(upgrade)
  const socket = await arrived.promise
  const text = 'x'.repeat(16 * KiB)
  let bytes = 0
  while (socket.getBufferedAmount() === 0 && bytes < 64 * KiB * KiB) {
    socket.send(text)
    bytes += text.length
    await new Promise(setImmediate)
  }
  socket.terminate()
  void server.stop(true)
  return { bytes, bounded }
}

const upgrade = [
  'GET / HTTP/1.1',
  'Host: x',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n')

test('the kernel buffer for a peer that does not read is bounded where the system allows it', async () => {
  const { bytes, bounded } = await takenWith(128 * KiB)
  expect(bounded).toBe(process.platform === 'linux' ? 1 : 0)
  if (bounded === 1) expect(bytes).toBeLessThan(1024 * KiB)
})

test('without a bound, and for ports of other processes, no kernel buffer is set', () => {
  expect([limitKernelBuffers([9100], 0), limitKernelBuffers([1], 1024)]).toEqual([0, 0])
})

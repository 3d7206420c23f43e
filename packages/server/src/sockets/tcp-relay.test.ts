import { afterAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { eventually } from '@arqonbus/testing'
import { openRelay, type PreambleFault } from './tcp-relay.ts'

/**
 * A server that says, of each connection, what its relay knows of it, and then repeats what it hears; at the end of one
 * side it says so and ends the other.
 */
const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.once('data', () => socket.write(`${relay.addressOf(socket.localPort!, socket.remotePort!)}\n`))
  socket.on('data', (bytes) => socket.write(bytes))
  socket.on('end', () => socket.end('the end'))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port: serverPort } = server.address() as { port: number }
const refused: PreambleFault[] = []
const start = (preambleMs: number) =>
  openRelay({
    host: '127.0.0.1',
    port: 0,
    serverPort: () => serverPort,
    isTrusted: () => true,
    refused: (reason) => refused.push(reason),
    preambleMs,
  })
const relay = start(60_000)
const impatient = start(50)
afterAll(() => {
  for (const one of [relay, impatient]) one.close()
  server.close()
})

const open = (bytes: string | Uint8Array, { port } = relay) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(bytes)
  return socket
}
const all = async (socket: Socket) => {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
const preamble = 'PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n'

test('a relay passes bytes both ways and gives the server the client address', async () => {
  const socket = open(`${preamble}hello`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  expect(first.toString()).toStartWith('203.0.113.9\n')
  socket.end()
  expect((await all(socket)).toString()).toEndWith('the end')
})

test('many bytes arrive whole through a relay, however slowly they are read', async () => {
  const bytes = Buffer.alloc(8 * 1024 * 1024, 'bytes of no power of two')
  const socket = open(preamble)
  socket.pause()
  socket.write(bytes)
  socket.end()
  const heard = await all(socket)
  expect(heard.length).toBe('203.0.113.9\n'.length + bytes.length + 'the end'.length)
  expect(heard.subarray('203.0.113.9\n'.length, -'the end'.length).equals(bytes)).toBe(true)
})

test('an incomplete preamble ends the connection at its timeout, even if it arrives byte by byte', async () => {
  const [silent, slow] = [open('', impatient), open('PROXY UNKNOWN ', impatient)]
  const ended = [silent, slow].map(
    (socket) =>
      new Promise((resolve) => {
        // It is reset, since nobody reads what it says.
        socket.on('error', () => {})
        socket.on('close', resolve)
      }),
  )
  const dribble = setInterval(() => slow.write('x'), 10)
  await Promise.all(ended)
  clearInterval(dribble)
  expect(refused).toEqual(['timeout', 'timeout'])
})

test('a relayed connection leaves nothing behind', async () => {
  const socket = open(`${preamble}hello`)
  await once(socket, 'data')
  const port = [...Array(65_536).keys()].find((one) => relay.addressOf(serverPort, one) !== undefined)
  expect(port).toBeDefined()
  socket.destroy()
  await eventually(() => expect(relay.addressOf(serverPort, port!)).toBeUndefined())
})

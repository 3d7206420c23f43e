import { afterAll, describe, expect, test } from 'bun:test'
import { createTcpTable, type Peer, type TcpBytes } from './tcp.ts'

/** A table over descriptors that a test hands out; counts how often one is asked for its peer. */
function rig(peers: Record<number, string>) {
  const time = { now: 0 }
  const bytes: TcpBytes = { received: 1, confirmed: 2, unsent: 3 }
  let asked = 0
  const table = createTcpTable(() => time.now, {
    peerOf(descriptor) {
      asked++
      return peers[descriptor]
    },
    bytesOf: (descriptor) => ({ ...bytes, received: descriptor }),
  })
  return { time, table, asked: () => asked, peers }
}

const ann: Peer = { address: '10.0.0.1', port: 500 }
const key = (hex: string, port: number) => `${hex} ${port}`
const ANN = key('00000000000000000000ffff0a000001', 500)

test('the descriptor of a peer is found once and then verified', () => {
  const { table, asked, peers, time } = rig({ 7: ANN, 9: key('00000000000000000000ffff0a000002', 500) })
  expect(table(ann)).toMatchObject({ received: 7 })
  const first = asked()
  expect(table(ann)).toMatchObject({ received: 7 })
  expect(asked() - first).toBe(1)
  // The number is used again, for somebody else.
  peers[7] = key('00000000000000000000ffff0a000003', 1)
  peers[8] = ANN
  time.now += 1000
  expect(table(ann)).toMatchObject({ received: 8 })
})

test('unknown peers do not cause all descriptors to be read each time', () => {
  const { table, asked } = rig({ 7: ANN })
  expect(table({ address: '10.0.0.9', port: 1 })).toBeUndefined()
  const first = asked()
  for (let i = 0; i < 100; i++) expect(table({ address: '10.0.0.9', port: i })).toBeUndefined()
  expect(asked()).toBe(first)
})

test('an address is recognised in all its forms', () => {
  const { table } = rig({
    3: ANN,
    4: key('20010db8000000000000000000000001', 80),
    5: key('fe800000000000000000000000000002', 80),
    6: key('00000000000000000000000000000001', 80),
  })
  expect(table({ address: '::ffff:10.0.0.1', port: 500 })).toMatchObject({ received: 3 })
  expect(table({ address: '2001:DB8::1', port: 80 })).toMatchObject({ received: 4 })
  expect(table({ address: '2001:db8:0:0:0:0:0:1', port: 80 })).toMatchObject({ received: 4 })
  expect(table({ address: 'fe80::2%eth0', port: 80 })).toMatchObject({ received: 5 })
  expect(table({ address: '::1', port: 80 })).toMatchObject({ received: 6 })
})

describe.if(process.platform === 'linux')('on Linux', () => {
  const peers: Peer[] = []
  const servers = ['127.0.0.1', '::1', '::'].map((hostname) =>
    Bun.serve({
      hostname,
      port: 0,
      fetch(request, server) {
        peers.push(server.requestIP(request)!)
        return new Response('hello')
      },
    }),
  )
  afterAll(() => Promise.all(servers.map((server) => server.stop(true))))

  test.each(servers.map((server) => [server.hostname, server.port!] as const))(
    'the byte counts of a connection to %s are known',
    async (hostname, port) => {
      const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
      const { promise: answered, resolve } = Promise.withResolvers<void>()
      const socket = await Bun.connect({
        hostname: hostname === '::' ? '127.0.0.1' : hostname!,
        port,
        socket: { data: () => resolve() },
      })
      socket.write(request)
      await answered
      const table = createTcpTable(() => performance.now())
      expect(table(peers.at(-1)!)).toMatchObject({ received: request.length, unsent: 0 })
      socket.end()
    },
  )
})

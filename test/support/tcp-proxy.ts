/** A stretch of network between a client and the bus, for a test to cut. */
import type { Socket } from 'bun'

/** A way to a port that can be cut. */
export type TcpProxy = {
  /** The address of the bus, by this way. */
  readonly url: string
  /** Connections that go this way. */
  readonly connections: number
  /** Cuts all connections without a goodbye. New ones are let through again. */
  cut(): void
  close(): void
}

type Pair = { other: Socket<Pair> | undefined; waiting: Buffer[] }

/** Opens a way to the bus at `busUrl`. */
export function openProxy(busUrl: string): TcpProxy {
  const { hostname, port } = new URL(busUrl)
  const sockets = new Set<Socket<Pair>>()
  const pass = (socket: Socket<Pair>, data: Buffer) => {
    const { other, waiting } = socket.data
    if (other === undefined || waiting.length > 0) waiting.push(Buffer.from(data))
    else forward(socket, Buffer.from(data))
  }
  /** What the other side does not take at once waits for its drain. */
  const forward = (socket: Socket<Pair>, data: Buffer) => {
    const taken = socket.data.other?.write(data) ?? 0
    if (taken < data.length) socket.data.waiting.unshift(data.subarray(Math.max(0, taken)))
  }
  const drain = (socket: Socket<Pair>) => {
    const source = socket.data.other
    const [next] = source?.data.waiting.splice(0, 1) ?? []
    if (source === undefined || next === undefined) return
    const before = source.data.waiting.length
    forward(source, next)
    if (source.data.waiting.length === before && before > 0) drain(socket)
  }
  const end = (socket: Socket<Pair>) => {
    sockets.delete(socket)
    socket.data.other?.end()
  }
  const server = Bun.listen<Pair>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        client.data = { other: undefined, waiting: [] }
        sockets.add(client)
        Bun.connect<Pair>({
          hostname,
          port: Number(port),
          socket: {
            open(bus) {
              bus.data = { other: client, waiting: [] }
              client.data.other = bus
              drain(bus)
            },
            data: pass,
            drain,
            close: end,
            error: end,
          },
        }).catch(() => client.end())
      },
      data: pass,
      drain,
      close: end,
      error: end,
    },
  })
  return {
    url: `ws://127.0.0.1:${server.port}/`,
    get connections() {
      return sockets.size
    },
    cut() {
      for (const socket of sockets) {
        socket.data.other?.terminate()
        socket.terminate()
      }
      sockets.clear()
    },
    close() {
      this.cut()
      server.stop(true)
    },
  }
}

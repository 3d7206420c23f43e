/** A TCP proxy between two programs, for tests that cut, stall or redirect connections. */
import type { Socket } from 'bun'

/** A proxy to a port. */
export type TcpProxy = {
  /** The target URL, with the port of the proxy. */
  readonly url: string
  /** The number of open connections, counted at both ends. */
  readonly connections: number
  /** Ends all connections without a close frame. New ones are accepted. */
  cut(): void
  /** From now on no data passes, also on new connections, and no side is notified. */
  stall(): void
  /** Forwards the data that has waited since `stall`, and continues. */
  flow(): void
  /** Passes chunks from the server through this function from now on; undefined ends that. */
  alter(how: ((data: Buffer) => Buffer) | undefined): void
  /** Leads later connections to another URL; existing ones stay. */
  leadTo(url: string): void
  close(): void
}

type End = {
  /** The socket at the other side; undefined until it is connected. */
  other: Socket<End> | undefined
  /** Data that this socket has not accepted yet. */
  waiting: Buffer[]
}

/** Opens a proxy to the program that listens at `url`. */
export function openProxy(url: string): TcpProxy {
  const sockets = new Set<Socket<End>>()
  let target = new URL(url)
  let isStalled = false
  let alter: ((data: Buffer) => Buffer) | undefined

  function passAltered(from: Socket<End>, data: Buffer): void {
    pass(from, alter === undefined ? data : alter(Buffer.from(data)))
  }

  function pass(from: Socket<End>, data: Buffer): void {
    const to = from.data.other
    if (to === undefined) return void from.data.waiting.push(Buffer.from(data))
    to.data.waiting.push(Buffer.from(data))
    write(to)
  }

  /** Writes what the socket accepts; the other side is not read until everything is written. */
  function write(socket: Socket<End>): void {
    const { waiting, other } = socket.data
    while (!isStalled && waiting.length > 0) {
      const [next] = waiting as [Buffer]
      const taken = Math.max(0, socket.write(next))
      if (taken < next.length) {
        waiting[0] = next.subarray(taken)
        break
      }
      waiting.shift()
    }
    if (isStalled || waiting.length > 0) other?.pause()
    else other?.resume()
  }

  function end(socket: Socket<End>): void {
    sockets.delete(socket)
    socket.data.other?.end()
  }

  function connected(client: Socket<End>, server: Socket<End>): void {
    if (!sockets.has(client)) {
      server.data = { other: undefined, waiting: [] }
      return void server.terminate()
    }
    // Data that the client has sent so far still has to be written to the server.
    server.data = { other: client, waiting: client.data.waiting }
    client.data = { other: server, waiting: [] }
    sockets.add(server)
    write(server)
    write(client)
  }

  const listener = Bun.listen<End>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        client.data = { other: undefined, waiting: [] }
        sockets.add(client)
        Bun.connect<End>({
          hostname: target.hostname,
          port: Number(target.port),
          socket: {
            open: (server) => connected(client, server),
            data: passAltered,
            drain: write,
            close: end,
            error: end,
          },
        }).catch(() => client.end())
      },
      data: pass,
      drain: write,
      close: end,
      error: end,
    },
  })
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${listener.port}` }).href,
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
    stall() {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    flow() {
      isStalled = false
      for (const socket of sockets) write(socket)
    },
    alter(how) {
      alter = how
    },
    leadTo(url) {
      target = new URL(url)
    },
    close() {
      this.cut()
      listener.stop(true)
    },
  }
}

/** A stretch of network between two programs, for a test to cut, to stall, or to lead elsewhere. */
import type { Socket } from 'bun'

/** A way to a port. */
export type TcpProxy = {
  /** The address given, by this way. */
  readonly url: string
  /** Connections that go this way, counted at both ends. */
  readonly connections: number
  /** Cuts all connections without a goodbye. New ones are let through again. */
  cut(): void
  /** From now on nothing gets through, of new connections neither, and nobody is told. */
  stall(): void
  /** What has waited since `stall` goes on its way. */
  flow(): void
  /** From now on chunks from the server pass through this function; undefined ends that. */
  alter(how: ((data: Buffer) => Buffer) | undefined): void
  /** Leads connections from now on to another address; those that there are stay. */
  leadTo(url: string): void
  close(): void
}

type End = {
  /** The socket at the other end of the way; undefined until it is connected. */
  other: Socket<End> | undefined
  /** What this socket has yet to take. */
  waiting: Buffer[]
}

/** Opens a way to the program that listens at `url`. */
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

  /** Writes what the socket takes; the other end is not read before it has taken all. */
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
    // What the client has said so far is what the server has yet to take.
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

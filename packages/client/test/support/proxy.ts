import { connect, createServer, type Socket } from 'node:net'

/** A proxy between a client and a bus that a test can cut, or keep open without traffic. */
export type TcpProxy = {
  /** The address for clients to connect to. */
  readonly url: string
  /** Ends every connection without a close frame. */
  cut(): void
  /** While false, new connections are ended at once. */
  accept(isOpen: boolean): void
  /** While true, frames of the bus do not reach its clients: they are discarded when the connections are cut. */
  holdReplies(isHeld: boolean): void
  close(): Promise<void>
}

/** Opens a proxy to the bus at `target`, a WebSocket address. */
export async function openProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<{ near: Socket; far: Socket }>()
  let isOpen = true
  let isHeld = false

  const server = createServer((near) => {
    if (!isOpen) return void near.resetAndDestroy()
    const far = connect(Number(port), hostname)
    const pair = { near, far }
    pairs.add(pair)
    const end = () => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    near.pipe(far)
    far.on('data', (bytes) => {
      if (!isHeld) near.write(bytes)
    })
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }

  function cut(): void {
    for (const { near, far } of pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  return {
    url: `ws://127.0.0.1:${address.port}/`,
    cut,
    accept(open) {
      isOpen = open
    },
    holdReplies(held) {
      isHeld = held
    },
    close() {
      cut()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

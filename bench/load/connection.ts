import type { Socket } from 'bun'
import { clientFrame, type OnFrame, opcodes, readFrames, textFrame } from './frames.ts'
import { flush } from './unsent.ts'

/**
 * One client of the load: a raw TCP socket with only the parts of WebSocket that the load needs.
 * All connections of a load share one `Listener`, so that nothing is allocated for a delivery.
 */
export interface Connection {
  /** Its number in the load, which also identifies its messages. */
  readonly index: number
  readonly clientId: string
  socket: Socket<Connection>
  /** `joining` ends with the first frame from the server, which confirms the subscription. */
  state: 'upgrading' | 'joining' | 'open' | 'closed'
  listener: Listener
  /** The received part of an incomplete frame. */
  rest: Buffer | null
  /** Bytes that the kernel has not accepted yet. */
  unsent: Buffer[]
  /** The close code; 1006 without a close frame. */
  closeCode: number | null
  settle: { resolve(connection: Connection): void; reject(error: Error): void }
}

export interface Listener {
  /** Called for a text frame; its payload is in `bytes` from `start` to `end` and must not be kept. */
  text(connection: Connection, bytes: Buffer, start: number, end: number): void
  /** Called after `text` for all frames of one read. */
  read?(connection: Connection): void
  closed?(connection: Connection): void
}

/** How to get into the channel on one kind of server. */
export interface Endpoint {
  /** Where the server listens, `ws://host:port/`. */
  url: string
  /** The path and query of the upgrade. */
  path(clientId: string): string
  /** Sent after the upgrade, if a subscription needs a message. */
  joinFrame?: string
  /** Checks the first frame; throws if the client was not admitted. */
  admitted(frame: string): void
}

/** Resolves when the server has said that the client is in the channel. */
export function connect(endpoint: Endpoint, index: number, clientId: string, listener: Listener): Promise<Connection> {
  const { hostname, port } = new URL(endpoint.url)
  return new Promise((resolve, reject) => {
    const connection = {
      index,
      clientId,
      state: 'upgrading',
      listener,
      rest: null,
      unsent: [],
      closeCode: null,
      settle: { resolve, reject },
    } as unknown as Connection
    Bun.connect<Connection>({ hostname, port: Number(port), data: connection, socket: handlersFor(endpoint) }).catch(
      reject,
    )
  })
}

/**
 * Opens `count` connections, at most `together` at once, so that a listen backlog does not distort
 * the measurement. The first failure fails all.
 */
export async function connectMany(count: number, together: number, open: (index: number) => Promise<Connection>) {
  const connections: Connection[] = new Array(count)
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      connections[index] = await open(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(together, count) }, worker))
  return connections
}

/** Sends frames. Bytes that the kernel does not accept now are copied, so the caller may overwrite `bytes` at once. */
export function send(connection: Connection, bytes: Buffer): void {
  if (connection.state === 'closed') return
  const taken = connection.unsent.length > 0 ? 0 : Math.max(0, connection.socket.write(bytes))
  if (taken < bytes.length) connection.unsent.push(Buffer.from(bytes.subarray(taken)))
}

export function sendText(connection: Connection, text: string): void {
  send(connection, textFrame(text))
}

/** Ends the connections without a close frame; resolves when the sockets are closed here. */
export async function hangUp(connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) {
    connection.listener = silent
    connection.socket.end()
  }
  while (connections.some((connection) => connection.state !== 'closed')) await Bun.sleep(5)
}

const silent: Listener = { text: () => {} }

const handlersOf = new WeakMap<Endpoint, Bun.SocketHandler<Connection>>()

function handlersFor(endpoint: Endpoint): Bun.SocketHandler<Connection> {
  const known = handlersOf.get(endpoint)
  if (known !== undefined) return known
  const handlers: Bun.SocketHandler<Connection> = {
    open(socket) {
      socket.data.socket = socket
      socket.setNoDelay(true)
      socket.write(upgradeRequest(endpoint, socket.data.clientId))
    },
    data(socket, chunk) {
      const connection = socket.data
      if (connection.state === 'open') {
        connection.rest = readFrames(connection, connection.rest, chunk, onFrame)
        connection.listener.read?.(connection)
      } else enter(endpoint, connection, chunk)
    },
    drain: flush,
    close: (socket) => onClosed(socket.data, 'closed'),
    error: (socket, error) => onClosed(socket.data, error.message),
    connectError: (socket, error) => onClosed(socket.data, error.message),
  }
  handlersOf.set(endpoint, handlers)
  return handlers
}

const onFrame: OnFrame<Connection> = (connection, opcode, bytes, start, end) => {
  if (opcode === opcodes.text) connection.listener.text(connection, bytes, start, end)
  else if (opcode === opcodes.ping) send(connection, clientFrame(bytes.subarray(start, end), opcodes.pong))
  else if (opcode === opcodes.close) {
    connection.closeCode = end - start >= 2 ? bytes.readUInt16BE(start) : 1005
    connection.socket.end()
  }
}

/** The road from the upgrade's answer to the first frame that says that the client is in. */
function enter(endpoint: Endpoint, connection: Connection, chunk: Buffer): void {
  let bytes = chunk
  if (connection.state === 'upgrading') {
    bytes = connection.rest === null ? chunk : Buffer.concat([connection.rest, chunk])
    const headEnd = bytes.indexOf('\r\n\r\n')
    if (headEnd < 0) {
      connection.rest = Buffer.from(bytes)
      return
    }
    const statusLine = bytes.toString('latin1', 0, bytes.indexOf('\r\n'))
    if (!statusLine.startsWith('HTTP/1.1 101')) {
      connection.settle.reject(new Error(`refused: ${statusLine}`))
      connection.socket.end()
      return
    }
    connection.state = 'joining'
    connection.rest = null
    if (endpoint.joinFrame !== undefined) sendText(connection, endpoint.joinFrame)
    bytes = bytes.subarray(headEnd + 4)
  }
  connection.rest = readFrames(connection, connection.rest, bytes, (_, opcode, frame, start, end) => {
    // Frames of the channel may follow the welcome in the same read.
    if (connection.state === 'open' || opcode !== opcodes.text) return onFrame(connection, opcode, frame, start, end)
    try {
      endpoint.admitted(frame.toString('utf8', start, end))
      connection.state = 'open'
      connection.settle.resolve(connection)
    } catch (error) {
      connection.settle.reject(error as Error)
      connection.socket.end()
    }
  })
}

function onClosed(connection: Connection, why: string): void {
  if (connection.state === 'closed') return
  if (connection.state !== 'open')
    connection.settle.reject(new Error(`closed before it had joined the channel: ${why}`))
  connection.state = 'closed'
  connection.closeCode ??= 1006
  connection.listener.closed?.(connection)
}

function upgradeRequest(endpoint: Endpoint, clientId: string): string {
  return [
    `GET ${endpoint.path(clientId)} HTTP/1.1`,
    `Host: ${new URL(endpoint.url).host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n')
}

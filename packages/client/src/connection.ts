import type { ErrorBody, ReplyPayload, Welcome } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import type { Message } from './events.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** How a connection ended. */
export type Closed = {
  code: number
  reason: string
  /** The last refusal of the connection itself, such as `client_id_in_use`, that the bus sent before it closed. */
  error?: ErrorBody
  /** The local failure, if no connection was established. */
  cause?: unknown
}

/** One socket, from opening to its end. It is never reopened: a reconnect opens another connection. */
export type Connection = {
  send(text: string): void
  /** Closes the connection. `onClosed` follows after `closeTimeoutMs` at the latest, whatever the network does. */
  close(code: number, reason: string): void
  /** Abandons a dead connection without a handshake. `onClosed` follows, as after an abnormal close. */
  abort(reason: string): void
  /** Bytes that the network has not taken yet. */
  bufferedBytes(): number
}

/** What a connection needs, and its callbacks. No callback is called before `openConnection` has returned. */
export type ConnectionOptions = {
  WebSocket: WebSocketConstructor
  url: string
  protocols: string[]
  clock: Clock
  /** From opening the socket to the welcome. */
  connectTimeoutMs: number
  closeTimeoutMs: number
  onWelcome(welcome: Welcome): void
  /** Every frame after the welcome. */
  onFrame(envelope: Message): void
  /** Called once, as the last callback. */
  onClosed(closed: Closed): void
}

/**
 * The code of a connection that ended without a close frame (docs/protocol.md#replies-and-errors). It is never sent
 * (RFC 6455 §7.4.1).
 */
export const ABNORMAL = 1006

/** Opens one connection. */
export function openConnection(options: ConnectionOptions): Connection {
  const { clock } = options
  const socket = new options.WebSocket(options.url, options.protocols)
  let phase: 'opening' | 'open' | 'welcomed' | 'closed' = 'opening'
  let error: ErrorBody | undefined
  let cancelTimer = clock.after(options.connectTimeoutMs, () => abort('no welcome in time'))

  function closed(code: number, reason: string): void {
    if (phase === 'closed') return
    // A refused upgrade: runtimes report 1002 or 1006 for the same response. It counts as 1006, because no close frame
    // came.
    if (phase === 'opening') code = ABNORMAL
    phase = 'closed'
    mute()
    cancelTimer()
    options.onClosed({ code, reason, ...(error !== undefined && { error }) })
  }

  /** Ignores later events of the socket: they belong to no connection. */
  function mute(): void {
    socket.onopen = socket.onmessage = socket.onclose = null
  }

  function abort(reason: string): void {
    mute()
    socket.close(1000, reason)
    cancelTimer()
    cancelTimer = clock.after(0, () => closed(ABNORMAL, reason))
  }

  function received(envelope: Message): void {
    if (phase === 'welcomed') return options.onFrame(envelope)
    const { type, payload } = envelope
    if (type === 'system' && payload.event === 'welcome') {
      phase = 'welcomed'
      cancelTimer()
      options.onWelcome(payload as unknown as Welcome)
    } else if (type === 'command_response') {
      const reply = payload as unknown as ReplyPayload
      if (reply.status === 'error') error = reply.error
    }
  }

  socket.onopen = () => {
    phase = 'open'
  }
  socket.onmessage = ({ data }) => {
    const envelope = read(data)
    if (envelope !== undefined) received(envelope)
  }
  // The close event that always follows reports the failure; `ws` throws if there is no handler.
  socket.onerror = () => {}
  socket.onclose = ({ code, reason }) => closed(code, reason)

  return {
    send: (text) => socket.send(text),
    close(code, reason) {
      cancelTimer()
      cancelTimer = clock.after(options.closeTimeoutMs, () => closed(ABNORMAL, reason))
      socket.close(code, reason)
    },
    abort: abort,
    bufferedBytes: () => socket.bufferedAmount,
  }
}

/**
 * Parses a frame of the bus. A frame that is no envelope is skipped, because a later version may send frames that this
 * one cannot read.
 */
function read(data: unknown): Message | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null && 'payload' in value ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

import type { ErrorBody, ReplyPayload, Welcome } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import type { Message } from './events.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** How a connection ended. */
export type Closed = {
  code: number
  reason: string
  /** What the bus said before it closed: the last refusal of the connection itself, such as `client_id_in_use`. */
  error?: ErrorBody
  /** What this side failed at, where no connection came about. */
  cause?: unknown
}

/** One socket, from opening to its end. It comes back to life never: the next one is another connection. */
export type Connection = {
  send(text: string): void
  /** Asks for the end; `onClosed` follows, at the latest after `closeTimeoutMs`, whatever the network does. */
  close(code: number, reason: string): void
  /** Gives up on a line that is dead; `onClosed` follows, as if it had been cut. */
  giveUp(reason: string): void
  /** Bytes that the network has not taken yet. */
  bufferedBytes(): number
}

/** What a connection is made of, and whom it tells. None of the callbacks comes before `openConnection` has returned. */
export type ConnectionOptions = {
  WebSocket: WebSocketConstructor
  url: string
  protocols: string[]
  clock: Clock
  /** From the first byte to the welcome. */
  connectTimeoutMs: number
  closeTimeoutMs: number
  onWelcome(welcome: Welcome): void
  /** Every frame after the welcome. */
  onFrame(envelope: Message): void
  /** Once, last. */
  onClosed(closed: Closed): void
}

/** A connection that ended without a close frame (protocol §3). It is never sent (RFC 6455 §7.4.1). */
export const CUT = 1006

/** Opens one connection. */
export function openConnection(options: ConnectionOptions): Connection {
  const { clock } = options
  const socket = new options.WebSocket(options.url, options.protocols)
  let phase: 'opening' | 'open' | 'welcomed' | 'closed' = 'opening'
  let error: ErrorBody | undefined
  let cancelTimer = clock.after(options.connectTimeoutMs, () => giveUp('no welcome in time'))

  function closed(code: number, reason: string): void {
    if (phase === 'closed') return
    // A refused upgrade: runtimes report 1002 or 1006 for the same answer, and only 1006 is true, because no close frame came.
    if (phase === 'opening') code = CUT
    phase = 'closed'
    mute()
    cancelTimer()
    options.onClosed({ code, reason, ...(error !== undefined && { error }) })
  }

  /** What the socket still says belongs to no connection any more. */
  function mute(): void {
    socket.onopen = socket.onmessage = socket.onclose = null
  }

  function giveUp(reason: string): void {
    mute()
    socket.close(1000, reason)
    cancelTimer()
    cancelTimer = clock.after(0, () => closed(CUT, reason))
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
  // What went wrong is told by the close event that always follows; `ws` throws where nobody listens.
  socket.onerror = () => {}
  socket.onclose = ({ code, reason }) => closed(code, reason)

  return {
    send: (text) => socket.send(text),
    close(code, reason) {
      cancelTimer()
      cancelTimer = clock.after(options.closeTimeoutMs, () => closed(CUT, reason))
      socket.close(code, reason)
    },
    giveUp,
    bufferedBytes: () => socket.bufferedAmount,
  }
}

/** A frame of the bus; a frame that is no envelope is skipped, because a later version may send what this one cannot read. */
function read(data: unknown): Message | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null && 'payload' in value ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

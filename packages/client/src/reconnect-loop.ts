import type { Welcome } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import { ABNORMAL, type Closed, type Connection, type ConnectionOptions, openConnection } from './connection.ts'
import { type ArqonBusError, failure, refusal } from './errors.ts'
import type { Message } from './events.ts'
import { delayAfter, type ReconnectOptions } from './reconnect.ts'

/** The parameters of the next connection; a token is fetched for each. */
export type Target = Pick<ConnectionOptions, 'WebSocket' | 'url' | 'protocols'>

/** What a reconnect loop needs. */
export type ReconnectLoopOptions = {
  target(): Promise<Target>
  clock: Clock
  random(): number
  connectTimeoutMs: number
  closeTimeoutMs: number
  /** False: the client ends with the first loss. */
  reconnect: ReconnectOptions | false
  canRenewToken: boolean
}

/** The callbacks of a reconnect loop. */
export type ReconnectLoopHandlers = {
  onWelcome(welcome: Welcome): void
  onFrame(envelope: Message): void
  /** A connection was lost. Without `retryInMs` there is no reconnect, and `onEnd` follows. */
  onLost(loss: { code: number; reason: string; retryInMs: number | undefined }): void
  /** Called once, as the last callback. `error` is undefined if the application closed the client. */
  onEnd(error: ArqonBusError | undefined): void
}

type State =
  | { name: 'idle' }
  | { name: 'preparing' }
  | { name: 'opening'; connection: Connection }
  | { name: 'open'; connection: Connection; since: number }
  | { name: 'waiting'; cancel: () => void }
  | { name: 'closing' }
  | { name: 'closed' }

/** The state of a client. */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed'

/** The connections of a client, one after the other. */
export type ReconnectLoop = {
  /** Opens the first connection. No callback is called before. */
  start(handlers: ReconnectLoopHandlers): void
  /** Sends a frame; false if there is no open connection. */
  send(text: string): boolean
  bufferedBytes(): number
  /** The server shuts down: reconnect after this many milliseconds. */
  hint(reconnectAfterMs: number): void
  /** Abandons the current connection as lost. */
  drop(reason: string): void
  /** Ends the loop; `onEnd` follows. */
  close(): void
  state(): ClientState
}

/** A connection that lasts this long resets the number of failures; one that ends sooner counts as another failure. */
const LASTING_MS = 10_000

/** Creates a reconnect loop; `start` opens the first connection. */
export function createReconnectLoop(options: ReconnectLoopOptions): ReconnectLoop {
  const { clock } = options
  let handlers: ReconnectLoopHandlers
  let state: State = { name: 'idle' }
  let attempt = 0
  let welcomedEver = false
  /** The last token was refused before a welcome, so another attempt with it would be refused again. */
  let tokenRefused = false
  let hintMs: number | undefined

  async function open(): Promise<void> {
    const preparing: State = { name: 'preparing' }
    state = preparing
    let target: Target
    let connection: Connection
    try {
      target = await options.target()
      if (state !== preparing) return
      connection = openConnection({
        ...target,
        clock,
        connectTimeoutMs: options.connectTimeoutMs,
        closeTimeoutMs: options.closeTimeoutMs,
        onWelcome(welcome) {
          if (state.name !== 'opening') return
          state = { name: 'open', connection, since: clock.now() }
          welcomedEver = true
          tokenRefused = false
          hintMs = undefined
          handlers.onWelcome(welcome)
        },
        onFrame: (envelope) => {
          if (state.name === 'open') handlers.onFrame(envelope)
        },
        onClosed: lost,
      })
    } catch (cause) {
      // For example, the token could not be fetched: that may be temporary, as a lost connection may.
      if (state === preparing) lost({ code: ABNORMAL, reason: String(cause), cause })
      return
    }
    state = { name: 'opening', connection }
  }

  function lost(closed: Closed): void {
    if (state.name === 'closed') return
    if (state.name === 'closing') return end(undefined)
    if (state.name === 'open' && clock.now() - state.since >= LASTING_MS) attempt = 0
    const retryInMs = retryDelay(closed)
    attempt += 1
    tokenRefused ||= closed.code === 4401
    if (retryInMs === undefined) {
      state = { name: 'closing' }
      handlers.onLost({ code: closed.code, reason: closed.reason, retryInMs })
      return end(errorOf(closed))
    }
    state = { name: 'waiting', cancel: clock.after(retryInMs, () => void open()) }
    handlers.onLost({ code: closed.code, reason: closed.reason, retryInMs })
  }

  function retryDelay({ code, error }: Closed): number | undefined {
    if (options.reconnect === false) return undefined
    // A bus that sends a retry time is the right one, so this is no wrong address.
    const retryAfterMs = error?.retry_after_ms
    if (!welcomedEver && options.reconnect.first !== true && retryAfterMs === undefined) return undefined
    const canRenewToken = options.canRenewToken && !tokenRefused
    const loss = { closeCode: code, attempt, hintMs, retryAfterMs, canRenewToken }
    return delayAfter(loss, options.reconnect, options.random)
  }

  function end(error: ArqonBusError | undefined): void {
    state = { name: 'closed' }
    handlers.onEnd(error)
  }

  return {
    start(given) {
      handlers = given
      void open()
    },
    send(text) {
      if (state.name !== 'open') return false
      state.connection.send(text)
      return true
    },
    bufferedBytes: () => (state.name === 'open' ? state.connection.bufferedBytes() : 0),
    hint(reconnectAfterMs) {
      hintMs = reconnectAfterMs
    },
    drop(reason) {
      if (state.name === 'open') state.connection.abort(reason)
    },
    close() {
      const before = state
      if (before.name === 'closing' || before.name === 'closed') return
      state = { name: 'closing' }
      if (before.name === 'waiting') before.cancel()
      if (before.name === 'opening' || before.name === 'open') before.connection.close(1000, 'closed by the client')
      else end(undefined)
    },
    state: () => publicState(state),
  }
}

function publicState(state: State): ClientState {
  if (state.name === 'open' || state.name === 'waiting') return state.name
  return state.name === 'closing' || state.name === 'closed' ? 'closed' : 'connecting'
}

/** The error of a connection that failed: the bus's own one if it sent one. */
function errorOf({ code, reason, error, cause }: Closed): ArqonBusError {
  if (error !== undefined) return refusal(error)
  const about = reason === '' ? `close code ${code}` : `close code ${code}: ${reason}`
  const details = { close_code: code, reason }
  return failure('connection_failed', { message: `The connection to the bus failed (${about}).`, details, cause })
}

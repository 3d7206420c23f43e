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

/** A connection that lasts this long resets the number of failures; one that ends sooner counts as another failure. */
const LASTING_MS = 10_000

/** The connections of a client, one after the other. */
export class ReconnectLoop {
  readonly #options: ReconnectLoopOptions
  /** Set by `start`; no handler is called before. */
  #handlers!: ReconnectLoopHandlers
  #state: State = { name: 'idle' }
  #attempt = 0
  #welcomedEver = false
  /** The last token was refused before a welcome, so another attempt with it would be refused again. */
  #tokenRefused = false
  #hintMs: number | undefined

  constructor(options: ReconnectLoopOptions) {
    this.#options = options
  }

  /** Opens the first connection. */
  start(handlers: ReconnectLoopHandlers): void {
    this.#handlers = handlers
    void this.#open()
  }

  state(): ClientState {
    return publicState(this.#state)
  }

  /** Sends a frame; false if there is no open connection. */
  send(text: string): boolean {
    if (this.#state.name !== 'open') return false
    this.#state.connection.send(text)
    return true
  }

  bufferedBytes(): number {
    return this.#state.name === 'open' ? this.#state.connection.bufferedBytes() : 0
  }

  /** The server shuts down: reconnect after this many milliseconds. */
  hint(reconnectAfterMs: number): void {
    this.#hintMs = reconnectAfterMs
  }

  /** Abandons the current connection as lost. */
  drop(reason: string): void {
    if (this.#state.name === 'open') this.#state.connection.abort(reason)
  }

  /** Ends the loop; `onEnd` follows. */
  close(): void {
    const before = this.#state
    if (before.name === 'closing' || before.name === 'closed') return
    this.#state = { name: 'closing' }
    if (before.name === 'waiting') before.cancel()
    if (before.name === 'opening' || before.name === 'open') before.connection.close(1000, 'closed by the client')
    else this.#end(undefined)
  }

  async #open(): Promise<void> {
    const { clock, connectTimeoutMs, closeTimeoutMs } = this.#options
    const preparing: State = { name: 'preparing' }
    this.#state = preparing
    try {
      const target = await this.#options.target()
      if (this.#state !== preparing) return
      const connection = openConnection({
        ...target,
        clock,
        connectTimeoutMs,
        closeTimeoutMs,
        onWelcome: (welcome) => this.#welcomed(connection, welcome),
        onFrame: (envelope) => {
          if (this.#state.name === 'open') this.#handlers.onFrame(envelope)
        },
        onClosed: (closed) => this.#lost(closed),
      })
      this.#state = { name: 'opening', connection }
    } catch (cause) {
      // For example, the token could not be fetched: that may be temporary, as a lost connection may.
      if (this.#state === preparing) this.#lost({ code: ABNORMAL, reason: String(cause), cause })
    }
  }

  #welcomed(connection: Connection, welcome: Welcome): void {
    if (this.#state.name !== 'opening') return
    this.#state = { name: 'open', connection, since: this.#options.clock.now() }
    this.#welcomedEver = true
    this.#tokenRefused = false
    this.#hintMs = undefined
    this.#handlers.onWelcome(welcome)
  }

  #lost(closed: Closed): void {
    const { clock } = this.#options
    if (this.#state.name === 'closed') return
    if (this.#state.name === 'closing') return this.#end(undefined)
    if (this.#state.name === 'open' && clock.now() - this.#state.since >= LASTING_MS) this.#attempt = 0
    const retryInMs = this.#retryDelay(closed)
    this.#attempt += 1
    this.#tokenRefused ||= closed.code === 4401
    const loss = { code: closed.code, reason: closed.reason, retryInMs }
    if (retryInMs === undefined) {
      this.#state = { name: 'closing' }
      this.#handlers.onLost(loss)
      return this.#end(errorOf(closed))
    }
    this.#state = { name: 'waiting', cancel: clock.after(retryInMs, () => void this.#open()) }
    this.#handlers.onLost(loss)
  }

  #retryDelay({ code, error }: Closed): number | undefined {
    const { reconnect, random } = this.#options
    if (reconnect === false) return undefined
    // A bus that sends a retry time is the right one, so this is no wrong address.
    const retryAfterMs = error?.retry_after_ms
    if (!this.#welcomedEver && reconnect.first !== true && retryAfterMs === undefined) return undefined
    const canRenewToken = this.#options.canRenewToken && !this.#tokenRefused
    const loss = { closeCode: code, attempt: this.#attempt, hintMs: this.#hintMs, retryAfterMs, canRenewToken }
    return delayAfter(loss, reconnect, random)
  }

  #end(error: ArqonBusError | undefined): void {
    this.#state = { name: 'closed' }
    this.#handlers.onEnd(error)
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

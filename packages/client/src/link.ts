import type { Welcome } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import { type Closed, type Connection, type ConnectionOptions, CUT, openConnection } from './connection.ts'
import { type ArqonBusError, failure, refusal } from './errors.ts'
import type { Message } from './events.ts'
import { delayAfter, type ReconnectOptions } from './reconnect.ts'

/** What the next connection is opened with; a token is fetched anew for each. */
export type Target = Pick<ConnectionOptions, 'WebSocket' | 'url' | 'protocols'>

/** How a link is kept. */
export type LinkOptions = {
  target(): Promise<Target>
  clock: Clock
  random(): number
  connectTimeoutMs: number
  closeTimeoutMs: number
  /** False: the first loss is the end. */
  reconnect: ReconnectOptions | false
  canRenewToken: boolean
  onWelcome(welcome: Welcome): void
  onFrame(envelope: Message): void
  /** A connection is lost; `retryInMs` is undefined where none follows, and then `onEnd` comes next. */
  onLost(loss: { code: number; reason: string; retryInMs: number | undefined }): void
  /** Once, last. `error` is undefined where the application closed. */
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

/** Where a link stands, in one word. */
export type LinkState = 'connecting' | 'open' | 'waiting' | 'closed'

/** One connection after the other: a client's way to its bus. */
export type Link = {
  start(): void
  /** False where there is no connection to take it. */
  send(text: string): boolean
  bufferedBytes(): number
  /** The bus will go: come back after this many milliseconds. */
  hint(reconnectAfterMs: number): void
  /** Gives the present connection up as lost. */
  drop(reason: string): void
  /** Ends the link for good; `onEnd` follows. */
  close(): void
  state(): LinkState
}

/** A connection that lasted this long makes the failures before it forgotten; one that is cut sooner counts as a failure more. */
const LASTING_MS = 10_000

/** Makes a link; it opens with `start`. */
export function createLink(options: LinkOptions): Link {
  const { clock } = options
  let state: State = { name: 'idle' }
  let attempt = 0
  let welcomedEver = false
  /** The last token was refused before a welcome: another try with it would only be refused again. */
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
          options.onWelcome(welcome)
        },
        onFrame: (envelope) => {
          if (state.name === 'open') options.onFrame(envelope)
        },
        onClosed: lost,
      })
    } catch (cause) {
      // No token could be had, say: that may pass as a lost connection does.
      if (state === preparing) lost({ code: CUT, reason: String(cause), cause })
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
      options.onLost({ code: closed.code, reason: closed.reason, retryInMs })
      return end(errorOf(closed))
    }
    state = { name: 'waiting', cancel: clock.after(retryInMs, () => void open()) }
    options.onLost({ code: closed.code, reason: closed.reason, retryInMs })
  }

  function retryDelay({ code, error }: Closed): number | undefined {
    if (options.reconnect === false) return undefined
    // A bus that says when to come back is the right one.
    const retryAfterMs = error?.retry_after_ms
    if (!welcomedEver && options.reconnect.first !== true && retryAfterMs === undefined) return undefined
    const canRenewToken = options.canRenewToken && !tokenRefused
    const loss = { closeCode: code, attempt, hintMs, retryAfterMs, canRenewToken }
    return delayAfter(loss, options.reconnect, options.random)
  }

  function end(error: ArqonBusError | undefined): void {
    state = { name: 'closed' }
    options.onEnd(error)
  }

  return {
    start: () => void open(),
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
      if (state.name === 'open') state.connection.giveUp(reason)
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

function publicState(state: State): LinkState {
  if (state.name === 'open' || state.name === 'waiting') return state.name
  return state.name === 'closing' || state.name === 'closed' ? 'closed' : 'connecting'
}

/** Why the bus is not to be had: its own words where it gave them. */
function errorOf({ code, reason, error, cause }: Closed): ArqonBusError {
  if (error !== undefined) return refusal(error)
  const about = reason === '' ? `close code ${code}` : `close code ${code}: ${reason}`
  const details = { close_code: code, reason }
  return failure('connection_failed', { message: `There is no connection to the bus (${about}).`, details, cause })
}

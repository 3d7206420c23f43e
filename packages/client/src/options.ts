import type { ClientType } from '@arqonbus/protocol'
import { type Clock, systemClock } from './clock.ts'
import { failure } from './errors.ts'
import type { ClientEvents, Handlers } from './events.ts'
import type { ReconnectOptions } from './reconnect.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** What a client connects with. Only `url` has to be given. */
export type ClientOptions = {
  /** Where the bus is: `ws://127.0.0.1:9100`, or `wss://…`. */
  url: string
  /** Who this is; else the bus makes an id, which the client then keeps. */
  clientId?: string
  clientType?: ClientType
  screenName?: string
  avatar?: string
  personality?: string
  /** Addresses to join before `connect` resolves. */
  join?: readonly string[]
  /** Whether this client's own messages come back to it. Default true. */
  echo?: boolean
  /** A token, or a function that fetches one for each connection. It travels as a subprotocol, never in the address. */
  token?: string | (() => string | Promise<string>)
  /** The secret of an earlier connection's session: with it and its `clientId` one comes back as oneself. */
  session?: string
  /** Handlers that are there before the first frame. */
  on?: Partial<Handlers<ClientEvents>>
  /** How to come back after a loss; `false`: not at all. */
  reconnect?: ReconnectOptions | false

  /** From opening the socket to the welcome. Default 10 s. */
  connectTimeoutMs?: number
  /** From a command to its reply, over all connections in between. Default 10 s. */
  replyTimeoutMs?: number
  /** From a publish to its acknowledgement, over all connections in between. Default 30 s. */
  ackTimeoutMs?: number
  /** From asking for the close to giving up on it. Default 2 s. */
  closeTimeoutMs?: number
  /** A line this silent is asked, and given up after another such time. Default: as often as the bus pings; 0: never. */
  heartbeatMs?: number
  /** Frames that await their reply, at most. Default 1,000. */
  maxWaiting?: number
  /** Bytes that the network has not taken yet, at most. Default 16 MiB. */
  maxBufferedBytes?: number
  /** Messages that are remembered by sender and id, so that none is handed over twice. Default 10,000. */
  maxRemembered?: number

  /** The WebSocket to use; else that of the runtime, or `ws` on a Node without one. */
  WebSocket?: WebSocketConstructor
  /** Time and timers; a test passes its own. */
  clock?: Clock
  /** A number from 0 up to 1, for the jitter of delays. */
  random?: () => number
  /** A message id that was never used before. */
  newId?: () => string
}

/** Numbers and tools with their defaults. */
export const withDefaults = (options: ClientOptions) => ({
  echo: true,
  reconnect: {} as ReconnectOptions | false,
  connectTimeoutMs: 10_000,
  replyTimeoutMs: 10_000,
  ackTimeoutMs: 30_000,
  closeTimeoutMs: 2000,
  maxWaiting: 1000,
  maxBufferedBytes: 16 * 1024 * 1024,
  maxRemembered: 10_000,
  clock: systemClock,
  random: Math.random,
  ...definedOf(options),
})

/** An option that is there but undefined counts as absent, so callers can pass on what they may not have. */
function definedOf(options: ClientOptions): ClientOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ClientOptions
}

/** The address with what the client says of itself (protocol §1). Joins are asked for by command, because only its reply tells positions. */
export function addressWith(options: ClientOptions, clientId: string | undefined): string {
  let url: URL
  try {
    url = new URL(options.url)
  } catch (cause) {
    throw failure('invalid_options', {
      message: `"${options.url}" is not an address.`,
      details: { option: 'url' },
      cause,
    })
  }
  const query = {
    client_id: clientId,
    client_type: options.clientType,
    screen_name: options.screenName,
    avatar: options.avatar,
    personality: options.personality,
    echo: options.echo === false ? 'false' : undefined,
  }
  for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, value)
  return url.href
}

/** The subprotocols to offer: browsers can set no header, so secrets travel among them (protocol §1). */
export function protocolsWith(token: string | undefined, session: string | undefined): string[] {
  const offered = ['arqonbus.v1']
  if (token !== undefined) offered.push(`arqonbus.token.${subprotocolSafe('token', token)}`)
  if (session !== undefined) offered.push(`arqonbus.session.${subprotocolSafe('session', session)}`)
  return offered
}

/** Subprotocols are tokens of RFC 7230 §3.2.6: a browser would throw a syntax error that names nothing. */
function subprotocolSafe(option: string, secret: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(secret)) return secret
  const message = `The ${option} has characters that no WebSocket handshake carries: letters, digits and !#$%&'*+-.^_\`|~ do.`
  throw failure('invalid_options', { message, details: { option } })
}

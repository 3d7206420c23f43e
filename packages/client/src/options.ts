import type { ClientType } from '@arqonbus/protocol'
import { type Clock, systemClock } from './clock.ts'
import { failure } from './errors.ts'
import type { ClientEvents, Handlers } from './events.ts'
import type { ReconnectOptions } from './reconnect.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** The options of `connect`. Only `url` is required. */
export type ClientOptions = {
  /** The address of the bus: `ws://127.0.0.1:9100`, or `wss://…`. */
  url: string
  /** The client id. Default: the bus assigns one, which the client keeps. */
  clientId?: string
  clientType?: ClientType
  screenName?: string
  avatar?: string
  personality?: string
  /** Addresses to join before `connect` resolves. */
  join?: readonly string[]
  /** Whether this client receives its own messages. Default true. */
  echo?: boolean
  /**
   * A token, or a function that fetches one for each connection, and again before that one expires. It is sent as a
   * subprotocol, never in the URL.
   */
  token?: string | (() => string | Promise<string>)
  /** The secret of an earlier session: with it and its `clientId` the client resumes that session. */
  session?: string
  /** Handlers that are added before the first frame. */
  on?: Partial<Handlers<ClientEvents>>
  /** How to reconnect after a loss; `false`: not at all. */
  reconnect?: ReconnectOptions | false

  /** From opening the socket to the welcome. Default 10 s. */
  connectTimeoutMs?: number
  /** From a command to its reply, across reconnects. Default 10 s. */
  replyTimeoutMs?: number
  /** From a publish to its acknowledgement, across reconnects. Default 30 s. */
  ackTimeoutMs?: number
  /** From closing the connection to abandoning it. Default 2 s. */
  closeTimeoutMs?: number
  /**
   * A connection that is silent for this long is pinged, and abandoned after the same time again. Default: the ping
   * interval of the bus; 0: never.
   */
  heartbeatMs?: number
  /** The most frames that may wait for a reply. Default 1,000. */
  maxWaiting?: number
  /** The most bytes that may wait for the network. Default 16 MiB. */
  maxBufferedBytes?: number
  /** How many messages are remembered by sender and id, so that none is delivered twice. Default 10,000. */
  maxRemembered?: number

  /** The WebSocket class. Default: that of the runtime, or `ws` on a Node without one. */
  WebSocket?: WebSocketConstructor
  /** Time and timers, for tests. */
  clock?: Clock
  /** Returns a number from 0 up to 1, for the jitter of delays. */
  random?: () => number
  /** Returns a message id that was never used before. */
  newId?: () => string
}

/** Fills in the defaults of numbers and tools. */
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

/** Removes undefined options: they count as absent, so callers can pass on optional values. */
function definedOf(options: ClientOptions): ClientOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ClientOptions
}

/**
 * The URL with the description of the client (docs/protocol.md#connecting). Joins are commands instead, because only
 * their replies have positions.
 */
export function addressWith(options: ClientOptions, clientId: string | undefined): string {
  let url: URL
  try {
    url = new URL(options.url)
  } catch (cause) {
    throw failure('invalid_options', {
      message: `"${options.url}" is not a WebSocket URL: write ws://HOST:PORT or wss://HOST.`,
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

/**
 * The subprotocols to offer. Browsers can set no header, so secrets are sent among them (docs/protocol.md#connecting).
 */
export function protocolsWith(token: string | undefined, session: string | undefined): string[] {
  const offered = ['arqonbus.v1']
  if (token !== undefined) offered.push(`arqonbus.token.${subprotocolSafe('token', token)}`)
  if (session !== undefined) offered.push(`arqonbus.session.${subprotocolSafe('session', session)}`)
  return offered
}

/** Subprotocols are tokens of RFC 7230 §3.2.6; a browser would throw a syntax error that names no option. */
function subprotocolSafe(option: string, secret: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(secret)) return secret
  const message = `The ${option} has characters that a WebSocket handshake cannot carry: only letters, digits and !#$%&'*+-.^_\`|~ are allowed.`
  throw failure('invalid_options', { message, details: { option } })
}

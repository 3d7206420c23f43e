/**
 * Every setting of the bus, declared once: reading, help, `check-config`, the type `Config` and `docs/reference/config.md` come
 * from this table (protocol §1 and §9). A key gives its names: `historyTtlMs` is `ARQONBUS_HISTORY_TTL`, `--history-ttl` and
 * `history_ttl` in the file.
 */

import { rooms } from './configured-rooms.ts'
import { type DefaultInputs, type Option, option, optional } from './option.ts'
import { hostPattern, network } from './peer-kinds.ts'
import { duration, integer, port, type Rate, rate, size } from './quantities.ts'
import { boolean, choice, host, list, origin, redisUrl, secret, webSocketUrl } from './scalars.ts'
import { traceOptions } from './traces.ts'

const MiB = 1024 * 1024

/** No frame from the server is longer: 256 KiB or the message limit (protocol §2). */
export const longestFrame = (maxMessageBytes: number): number => Math.max(MiB / 4, maxMessageBytes)

const bucket = (perSecond: number, burst: number): Rate => ({ perSecond, burst })

/** A default that is another with Redis. */
const byStorage =
  <T>(memory: T, redis: T) =>
  ({ redisUrl }: DefaultInputs): T =>
    redisUrl === undefined ? memory : redis

/** The table. */
export const options = {
  host: option(host, {
    group: 'Connections',
    default: '127.0.0.1',
    text: 'Where the bus listens. Only this machine reaches the default.',
  }),
  port: option(port, { group: 'Connections', default: 9100, text: 'The port of the bus.' }),
  telemetry: option(boolean, { group: 'Connections', default: true, text: 'Whether there is a telemetry server.' }),
  telemetryHost: option(host, {
    group: 'Connections',
    default: '127.0.0.1',
    text: 'Where the telemetry server listens.',
  }),
  telemetryPort: option(port, { group: 'Connections', default: 9101, text: 'The port of the telemetry server.' }),
  telemetryRequired: option(boolean, {
    group: 'Connections',
    default: true,
    text: 'Whether the start stops when the telemetry server cannot listen; off: the bus starts without it, degraded.',
  }),
  telemetryMaxConnections: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Connections',
    default: 1000,
    text: 'Open connections to the telemetry server; a further one is refused with 503.',
  }),
  httpHost: option(host, {
    group: 'Connections',
    default: '127.0.0.1',
    text: 'Where HTTP (console, health, metrics, version) listens.',
  }),
  httpPort: option(port, { group: 'Connections', default: 9102, text: 'The port of HTTP.' }),
  console: option(boolean, {
    group: 'Connections',
    default: true,
    text: 'Whether the HTTP port serves the console, a web page, at `/`.',
  }),
  consoleBusUrl: optional(webSocketUrl, {
    group: 'Connections',
    text: 'Where the console finds the bus, where that is not its port on the host that the page came from: behind a proxy.',
  }),
  api: option(boolean, {
    group: 'Connections',
    default: true,
    text: 'Whether HTTP serves the API: publish, history, streams, commands.',
  }),
  maxConnections: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Connections',
    default: 20_000,
    text: 'Open connections; a further one is refused with 503. Raise the limit of open files with it.',
  }),
  maxConnectionsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Connections',
    default: 10_000,
    text: 'Open connections from one address (with IPv6, from one network of 64 bits); a further one is refused with 429. Everybody behind one NAT or untrusted proxy has one address.',
  }),
  telemetryMaxConnectionsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Connections',
    default: 500,
    text: 'The same for the telemetry server.',
  }),

  maxMessageBytes: option(size({ min: '256B', max: '16MiB' }), {
    group: 'Limits',
    default: MiB / 4,
    text: 'The longest frame from a client. Longer ones are refused, and above four times this the connection is closed.',
  }),
  maxDepth: option(integer({ min: 4, max: 1000 }), {
    group: 'Limits',
    default: 64,
    text: 'How deep the JSON of a frame may nest.',
  }),
  maxViolations: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Limits',
    default: 5,
    text: 'The violation of the protocol that closes a connection, counted within the window.',
  }),
  violationWindowMs: option(duration({ min: '100ms', max: '24h' }), {
    group: 'Limits',
    default: 60_000,
    text: 'The window in which violations are counted.',
  }),
  rateLimit: option(rate, {
    group: 'Limits',
    default: bucket(1000, 2000),
    text: 'Messages from one client. `off` switches off every rate and per-address limit, that of commands too.',
  }),
  commandRate: option(rate, {
    group: 'Limits',
    default: bucket(100, 200),
    text: 'The costly commands (status, list_*, history, create_channel) from one client, for each of them.',
  }),
  connectionRate: option(rate, {
    group: 'Limits',
    default: bucket(500, 10_000),
    text: 'New connections to the bus, and to the telemetry server, from one address; a further one is refused with 429. The burst is for clients behind one address that all come back at once.',
  }),
  httpRate: option(rate, {
    group: 'Limits',
    default: bucket(200, 1000),
    text: 'HTTP requests from one address that are not for the API: the console, metrics, version, unknown paths. `/health` and `/ready` have the same rate for themselves.',
  }),
  httpPipeline: option(integer({ min: 1, max: 1000 }), {
    group: 'Limits',
    default: 16,
    text: 'HTTP requests that one connection may send without waiting for answers; the answer to the last of them closes it.',
  }),
  httpCacheMs: option(duration({ min: '0s', max: '1m' }), {
    group: 'Limits',
    default: 1000,
    text: 'How old an answer of `/metrics`, `/health`, and of a list that the API gives to everybody alike may be: it is computed once in that time, however often it is asked for. `0` computes each.',
  }),
  apiRate: option(rate, {
    group: 'Limits',
    default: bucket(5000, 10_000),
    text: 'Requests to the HTTP API from one address, whatever client they name. Behind an untrusted proxy all have one address.',
  }),
  apiRequests: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Limits',
    default: 1000,
    text: 'Requests to the HTTP API under way at once; a further one is refused with 429.',
  }),
  apiRequestsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Limits',
    default: 500,
    text: 'Those of one address.',
  }),
  apiStreams: option(integer({ min: 0, max: 1_000_000 }), {
    group: 'Limits',
    default: 1000,
    text: 'Streams of server-sent events; a further one is refused with 429.',
  }),
  apiStreamsPerAddress: option(integer({ min: 0, max: 1_000_000 }), {
    group: 'Limits',
    default: 500,
    text: 'Those of one address.',
  }),
  apiBodyTimeoutMs: option(duration({ min: '10ms', max: '10m' }), {
    group: 'Limits',
    default: 10_000,
    text: 'How long the body of a request to the HTTP API may take to arrive.',
  }),
  maxRooms: option(integer({ min: 1, max: 10_000_000 }), { group: 'Limits', default: 10_000, text: 'Rooms.' }),
  maxChannels: option(integer({ min: 1, max: 10_000_000 }), {
    group: 'Limits',
    default: 100_000,
    text: 'Channels of all rooms together.',
  }),
  maxParticipants: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Limits',
    default: 20_000,
    text: 'Participants of a channel.',
  }),
  maxRoomParticipants: option(integer({ min: 1, max: 1_000_000 }), {
    group: 'Limits',
    default: 20_000,
    text: 'Participants of a room.',
  }),
  maxSubscriptions: option(integer({ min: 1, max: 100_000 }), {
    group: 'Limits',
    default: 1000,
    text: 'Subscriptions of a client.',
  }),
  maxMetadataBytes: option(size({ min: '64B', max: '256KiB' }), {
    group: 'Limits',
    default: 16 * 1024,
    text: 'The `metadata` of a channel, and the `room_config` of a room, as JSON.',
  }),
  sendBufferSoftLimit: option(size({ min: '1KiB', max: '256MiB' }), {
    group: 'Limits',
    default: ({ maxMessageBytes }) => 2 * longestFrame(maxMessageBytes),
    defaultText: '512KiB, or twice MAX_MESSAGE_BYTES where that is more',
    text: 'Send buffer of a connection above which its subscriptions leave the live stream and catch up from the log.',
  }),
  sendBufferHardLimit: option(size({ min: '4KiB', max: '1GiB' }), {
    group: 'Limits',
    default: ({ maxMessageBytes }) => 4 * longestFrame(maxMessageBytes),
    defaultText: '1MiB, or four times MAX_MESSAGE_BYTES where that is more',
    text: 'Send buffer at which a connection is closed with 4429: at least four times the longest frame.',
  }),
  sendBufferTotal: option(size({ min: '1MiB', max: '1024GiB' }), {
    group: 'Limits',
    default: 128 * MiB,
    text: 'Unread bytes of all connections together. From an eighth of it on SEND_BUFFER_SOFT_LIMIT shrinks, so that the slowest catch up from the log earlier; above it those with most unread bytes are closed with 4429.',
  }),
  socketSendBytes: option(size({ min: '0', max: '64MiB' }), {
    group: 'Limits',
    default: MiB / 4,
    text: 'Send buffer that the system keeps for each connection, beside that of the bus; Linux doubles it, and lets it grow to 4 MB where this is 0. Elsewhere the system decides.',
  }),
  fanoutBytes: option(size({ min: '1MiB', max: '64GiB' }), {
    group: 'Limits',
    default: 64 * MiB,
    text: 'Bytes of copies that wait to go out: a message to many subscribers takes several turns of the event loop. Above it clients that publish are not read until half of them have gone out.',
  }),
  telemetryBufferBytes: option(size({ min: '16KiB', max: '256MiB' }), {
    group: 'Limits',
    default: MiB,
    text: 'Unread bytes at which a listener of the telemetry server is given nothing more until it has read half of them; after 5 seconds it is closed.',
  }),

  autoCreate: option(boolean, {
    group: 'Rooms and history',
    default: true,
    text: 'Whether a join or a publish creates a channel that is not there.',
  }),
  create: option(choice(['user', 'admin']), {
    group: 'Rooms and history',
    default: 'user',
    text: 'Who may create channels: every client, or admins.',
  }),
  rooms: option(rooms, {
    group: 'Rooms and history',
    default: [],
    text: 'Rooms and channels that are there from the start.',
  }),
  bootstrap: option(choice(['strict', 'lenient']), {
    group: 'Rooms and history',
    default: 'strict',
    text: 'What happens when one of them cannot be created: the start stops, or goes on without it, degraded.',
  }),
  historySize: option(integer({ min: 0, max: 1_000_000 }), {
    group: 'Rooms and history',
    default: byStorage(500, 10_000),
    defaultText: '500 in memory, 10000 with Redis',
    text: 'Messages that a channel keeps.',
  }),
  historyTtlMs: option(duration({ min: '1ms', max: '3650d' }), {
    group: 'Rooms and history',
    default: byStorage(86_400_000, 604_800_000),
    defaultText: '24h in memory, 7d with Redis',
    text: 'How long a channel keeps a message.',
  }),
  historyBytes: option(size({ min: '0', max: '1024GiB' }), {
    group: 'Rooms and history',
    default: 256 * MiB,
    text: 'Bytes that all channels together keep in memory; above it the oldest messages go first.',
  }),
  channelIdleMs: option(duration({ min: '0s', max: '24d' }), {
    group: 'Rooms and history',
    default: 60_000,
    text: 'How long an empty channel that was created automatically stays at least.',
  }),
  dedupWindowMs: option(duration({ min: '1ms', max: '24h' }), {
    group: 'Rooms and history',
    default: 120_000,
    text: 'How long an acknowledged message is remembered, so that sending it again does nothing.',
  }),
  dedupBytes: option(size({ min: '64KiB', max: '64GiB' }), {
    group: 'Rooms and history',
    default: 128 * MiB,
    text: 'Memory for that; when it is full, messages that ask for an acknowledgement are refused.',
  }),

  pingIntervalMs: option(duration({ min: '10ms', max: '24h' }), {
    group: 'Liveness and shutdown',
    default: 25_000,
    text: 'How often the bus pings a connection.',
  }),
  pingTimeoutMs: option(duration({ min: '20ms', max: '24d' }), {
    group: 'Liveness and shutdown',
    default: 60_000,
    text: 'How long a connection may give no sign of life before it is closed with 4408; bytes that arrive, or leave while others wait, are signs. Longer than the interval.',
  }),
  agentIdleMs: option(duration({ min: '100ms', max: '24d' }), {
    group: 'Liveness and shutdown',
    default: 60_000,
    text: 'How long an AI agent sends nothing before telemetry calls it idle.',
  }),
  sessionTtlMs: option(duration({ min: '0s', max: '24d' }), {
    group: 'Liveness and shutdown',
    default: 600_000,
    text: 'How long the session of a closed connection can be resumed.',
  }),
  maxSessions: option(integer({ min: 0, max: 10_000_000 }), {
    group: 'Liveness and shutdown',
    default: 20_000,
    text: 'Sessions of closed connections that are kept; above it the oldest goes.',
  }),
  drainDelayMs: option(duration({ min: '0s', max: '10m' }), {
    group: 'Liveness and shutdown',
    default: 0,
    text: 'How long the bus keeps serving after a signal to stop, with `/ready` at 503, before it drains: the time that a load balancer needs to send new clients elsewhere.',
  }),
  drainTimeoutMs: option(duration({ min: '0s', max: '10m' }), {
    group: 'Liveness and shutdown',
    default: 10_000,
    text: 'How long a shutdown may take to say goodbye to everybody.',
  }),

  origins: option(list(origin, 'origins such as https://app.example.org (* for any)'), {
    group: 'Access',
    default: [],
    text: "Web origins that may connect from a browser, beside the bus's own host.",
  }),
  allowedHosts: option(list(hostPattern, 'host names such as bus.example.org, *.example.org, or *'), {
    group: 'Access',
    default: [],
    text: 'Names by which the three ports may be asked for (`Host`), beside IP addresses, `localhost`, and the hosts in HOST, TELEMETRY_HOST, HTTP_HOST, ORIGINS and CONSOLE_BUS_URL. A request for another name is refused with 421.',
  }),
  trustedProxies: option(list(network, 'addresses, networks such as 10.0.0.0/8, and loopback'), {
    group: 'Access',
    default: [],
    text: 'Proxies whose `X-Forwarded-For` says where a client is: its address, not that of the proxy, then counts for limits and logs.',
  }),
  proxyProtocol: option(boolean, {
    group: 'Access',
    default: false,
    text: 'Whether every connection to the three ports begins with the preamble of the PROXY protocol, version 1 or 2, from a trusted proxy. Others are ended.',
  }),
  tokenInQuery: option(boolean, {
    group: 'Access',
    default: false,
    text: 'Whether a token may come as ?token=, where logs of proxies keep it.',
  }),
  adminKey: optional(secret, {
    group: 'Access',
    secret: true,
    text: 'Whoever brings this key is an admin. Without it nobody is by a key.',
  }),

  redisUrl: optional(redisUrl, {
    group: 'Storage',
    secret: true,
    text: 'Redis or Valkey that keeps history over restarts and joins several nodes; without it everything is in memory.',
  }),
  redisTimeoutMs: option(duration({ min: '10ms', max: '1m' }), {
    group: 'Storage',
    default: 1000,
    text: 'How long an answer of Redis may take.',
  }),
  redisReplicas: option(integer({ min: 0, max: 16 }), {
    group: 'Storage',
    default: 0,
    text: 'Replicas that are waited for before a message is acknowledged; the acknowledgement says how many had it. Above 0 a server with WAITAOF also has to confirm the level disk.',
  }),
  redisQueueBytes: option(size({ min: '64KiB', max: '1GiB' }), {
    group: 'Storage',
    default: 16 * MiB,
    text: 'Bytes on their way to Redis, of all clients together; above it a client that publishes is not read before it has its outcome.',
  }),
  redisHeldBytes: option(size({ min: '64KiB', max: '16GiB' }), {
    group: 'Storage',
    default: 64 * MiB,
    text: 'Bytes of messages that are held while Redis is away, to be appended when it is back; above it publishes are refused.',
  }),
  storageMode: option(choice(['degrade', 'strict']), {
    group: 'Storage',
    default: 'degrade',
    text: 'While Redis is away: deliver provisionally, or refuse.',
  }),
  persist: option(list(choice(['messages', 'rooms', 'channels', 'sessions']), 'messages, rooms, channels, sessions'), {
    group: 'Storage',
    default: ['messages', 'rooms', 'channels', 'sessions'],
    text: 'What Redis keeps over restarts; channels bring their rooms. Without Redis nothing is kept.',
  }),

  logLevel: option(choice(['debug', 'info', 'warn', 'error', 'silent']), {
    group: 'Logs',
    default: 'info',
    text: 'The least important lines that are written.',
  }),
  logFormat: option(choice(['auto', 'pretty', 'json']), {
    group: 'Logs',
    default: 'auto',
    text: 'Lines for people or for machines; auto: for people on a terminal, else JSON.',
  }),

  ...traceOptions,
} as const

/** The name of a setting in the code. */
export type OptionKey = keyof typeof options

type ValueOf<Declared> = Declared extends Option<infer Value> ? Value : never

/** What is in force: one value for each setting of the table. */
export type Config = { readonly [Key in OptionKey]: ValueOf<(typeof options)[Key]> }

/** The keys of the table, in its order. */
export const optionKeys = Object.keys(options) as OptionKey[]

/** A setting whose kind of value does not matter. */
export const anyOption = (key: OptionKey): Option<unknown> => options[key] as Option<unknown>

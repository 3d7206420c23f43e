/**
 * Every setting of the bus, declared once: reading, help, `check-config`, the type `Config` and
 * `docs/reference/config.md` come from this table (docs/protocol.md#connecting, docs/protocol.md#limits). A key gives
 * its names: `historyTtlMs` is `ARQONBUS_HISTORY_TTL`, `--history-ttl` and `history_ttl` in the file.
 */

import { authOptions } from './auth-options.ts'
import { rooms } from './configured-rooms.ts'
import { webhooks } from './configured-webhooks.ts'
import { type DefaultInputs, type Grouped, inGroup, type Option, option, optional, type Values } from './option.ts'
import { hostPattern, network } from './peer-kinds.ts'
import { permissionRules } from './permission-rules.ts'
import { duration, integer, port, type Rate, rate, size } from './quantities.ts'
import { redisUrl } from './redis-address.ts'
import { boolean, choice, file, host, list, origin, privateFile, secret, webSocketUrl } from './scalars.ts'
import { strongSecret } from './strong-secret.ts'
import { traceOptions } from './traces.ts'

const MiB = 1024 * 1024

/** No frame from the server is longer: 256 KiB or the message limit (docs/protocol.md#the-envelope). */
export const longestFrame = (maxMessageBytes: number): number => Math.max(MiB / 4, maxMessageBytes)

const bucket = (perSecond: number, burst: number): Rate => ({ perSecond, burst })

/** A default that is another with Redis. */
const byStorage =
  <T>(memory: T, redis: T) =>
  ({ redisUrl }: DefaultInputs): T =>
    redisUrl === undefined ? memory : redis

/** The table. */
export const options = {
  ...inGroup('Connections', {
    host: option(host, {
      default: '127.0.0.1',
      text: 'The address on which the bus listens. The default is reachable from this machine only.',
    }),
    port: option(port, { default: 9100, text: 'The port of the bus.' }),
    telemetry: option(boolean, { default: true, text: 'Whether the telemetry server runs.' }),
    telemetryHost: option(host, { default: '127.0.0.1', text: 'The address on which the telemetry server listens.' }),
    telemetryPort: option(port, { default: 9101, text: 'The port of the telemetry server.' }),
    telemetryRequired: option(boolean, {
      default: true,
      text: 'Whether the start fails when the telemetry server cannot listen. If off, the bus starts without it, degraded.',
    }),
    telemetryMaxConnections: option(integer({ min: 1, max: 1_000_000 }), {
      default: 1000,
      text: 'Maximum open connections to the telemetry server; more are refused with 503.',
    }),
    httpHost: option(host, {
      default: '127.0.0.1',
      text: 'The address on which HTTP (console, health, metrics, version, API) listens.',
    }),
    httpPort: option(port, { default: 9102, text: 'The HTTP port.' }),
    console: option(boolean, { default: true, text: 'Whether the HTTP port serves the console, a web page, at `/`.' }),
    consoleBusUrl: optional(webSocketUrl, {
      text: 'Public WebSocket URL of the bus for the console; set it behind a proxy.',
    }),
    api: option(boolean, {
      default: true,
      text: 'Whether the HTTP port serves the API: publish, history, streams, commands.',
    }),
    maxConnections: option(integer({ min: 1, max: 1_000_000 }), {
      default: 20_000,
      text: 'Maximum open connections; more are refused with 503. Raise the limit of open files with it.',
    }),
    maxConnectionsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
      default: 10_000,
      text: 'Maximum open connections from one address (with IPv6, from one /64 network); more are refused with 429. All clients behind one NAT or untrusted proxy share one address.',
    }),
    telemetryMaxConnectionsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
      default: 500,
      text: 'The same for the telemetry server.',
    }),
    metricsHost: optional(host, {
      text: 'The address on which METRICS_PORT listens: that of HTTP_HOST if it is not set.',
    }),
    metricsPort: optional(port, {
      text: 'A port of their own for `/metrics`, `/health` and `/ready`: then the HTTP port has no `/metrics`.',
    }),
    compression: option(boolean, {
      default: false,
      text: 'Whether the bus and the telemetry server compress WebSocket messages (permessage-deflate) for clients that offer it. Every limit is for the message as it was before.',
    }),
  }),
  ...inGroup('TLS', {
    tlsCert: optional(file, {
      text: 'The certificate (PEM), followed by those of the intermediate authorities. With it and its key, every port speaks TLS only. Both are read again when the files change.',
    }),
    tlsKey: optional(privateFile, { text: 'The private key (PEM) of that certificate, without a passphrase.' }),
    tlsClientCa: optional(file, {
      text: 'Certificates (PEM) of the authorities that sign those of clients: then every connection to any port, browsers and scrapers included, needs such a certificate.',
    }),
    tlsMinVersion: option(choice(['1.2', '1.3']), {
      default: '1.2',
      text: 'The lowest version of TLS that is spoken.',
    }),
  }),
  ...inGroup('Limits', {
    maxMessageBytes: option(size({ min: '256B', max: '16MiB' }), {
      default: MiB / 4,
      text: 'Maximum size of a frame from a client. Longer frames are refused; a frame of more than four times this closes the connection.',
    }),
    maxDepth: option(integer({ min: 4, max: 1000 }), {
      default: 64,
      text: 'Maximum nesting depth of the JSON of a frame.',
    }),
    maxViolations: option(integer({ min: 1, max: 1_000_000 }), {
      default: 5,
      text: 'Number of protocol violations within the window at which a connection is closed.',
    }),
    violationWindowMs: option(duration({ min: '100ms', max: '24h' }), {
      default: 60_000,
      text: 'The window in which violations are counted.',
    }),
    rateLimit: option(rate, {
      default: bucket(1000, 2000),
      text: 'Messages from one client, or from one subject of a token, over all of its connections and HTTP calls. `off` disables every rate and per-address limit, including that of commands.',
    }),
    addressRate: option(rate, {
      default: bucket(100_000, 200_000),
      text: 'Messages from all clients of one address together (with IPv6, of one /64 network), whichever client ids they have; the subject of a token is not counted.',
    }),
    commandRate: option(rate, {
      default: bucket(100, 200),
      text: 'Rate of each costly command (status, list_*, history, create_channel, authenticate) from one client. It is that of the client, by WebSocket and HTTP together, not of the connection.',
    }),
    connectionRate: option(rate, {
      default: bucket(500, 10_000),
      text: 'New connections to the bus, and to the telemetry server, from one address; more are refused with 429. The burst is for clients behind one address that all reconnect at once.',
    }),
    httpRate: option(rate, {
      default: bucket(200, 1000),
      text: 'HTTP requests from one address outside the API: the console, metrics, version, unknown paths. `/health` and `/ready` have a bucket of their own with the same rate.',
    }),
    httpKeepAliveMs: option(duration({ min: '1s', max: '255s' }), {
      default: 75_000,
      text: 'How long an HTTP connection without a request stays open, in whole seconds. A load balancer in front has to close its idle connections sooner: else it sends a request down one that the server closes in this moment.',
    }),
    httpPipeline: option(integer({ min: 1, max: 1000 }), {
      default: 16,
      text: 'HTTP requests that one connection may send without waiting for responses; the response to the last of them closes it.',
    }),
    httpCacheMs: option(duration({ min: '0s', max: '1m' }), {
      default: 1000,
      text: 'Maximum age of a response of `/metrics`, `/health`, and of API lists that are the same for every client: each is computed at most once in this time. `0` computes every response.',
    }),
    apiRate: option(rate, {
      default: bucket(5000, 10_000),
      text: 'Requests to the HTTP API from one address, whichever client they name. Clients behind an untrusted proxy share one address.',
    }),
    apiRequests: option(integer({ min: 1, max: 1_000_000 }), {
      default: 1000,
      text: 'Maximum requests to the HTTP API in progress; more are refused with 429.',
    }),
    apiRequestsPerAddress: option(integer({ min: 1, max: 1_000_000 }), { default: 500, text: 'Those of one address.' }),
    apiStreams: option(integer({ min: 0, max: 1_000_000 }), {
      default: 1000,
      text: 'Maximum open streams of server-sent events; more are refused with 429.',
    }),
    apiStreamsPerAddress: option(integer({ min: 0, max: 1_000_000 }), { default: 500, text: 'Those of one address.' }),
    apiStreamChannels: option(integer({ min: 1, max: 200 }), {
      default: 50,
      text: 'Maximum channels of one stream of server-sent events. Each of its events has an id with a position of every channel, of up to 24 bytes.',
    }),
    apiBatch: option(integer({ min: 1, max: 10_000 }), {
      default: 500,
      text: 'Maximum messages in one batch by HTTP. They count as so many messages of the rate of their client.',
    }),
    apiBatchBytes: option(size({ min: '1KiB', max: '64MiB' }), {
      default: MiB,
      text: 'Maximum length of the body of a batch. Each of its messages may be as long as any other.',
    }),
    httpBodyBytes: option(size({ min: '1KiB', max: '1024GiB' }), {
      default: ({ maxMessageBytes, apiBatchBytes }) => Math.max(64 * MiB, maxMessageBytes, apiBatchBytes),
      defaultText: '64MiB, or the longest body where that is more',
      text: 'Bytes of the bodies of all HTTP requests in progress; more are refused with 429. A body takes up to four times its bytes of memory while its messages are handled.',
    }),
    httpBodyBytesPerAddress: option(size({ min: '1KiB', max: '1024GiB' }), {
      default: ({ maxMessageBytes, apiBatchBytes }) => Math.max(32 * MiB, maxMessageBytes, apiBatchBytes),
      defaultText: '32MiB, or the longest body where that is more',
      text: 'Those of one address.',
    }),
    apiBodyTimeoutMs: option(duration({ min: '10ms', max: '10m' }), {
      default: 10_000,
      text: 'How long the body of a request to the HTTP API may take to arrive.',
    }),
    maxRooms: option(integer({ min: 1, max: 10_000_000 }), { default: 10_000, text: 'Maximum number of rooms.' }),
    maxChannels: option(integer({ min: 1, max: 10_000_000 }), {
      default: 100_000,
      text: 'Maximum number of channels in all rooms together.',
    }),
    maxRoomsPerClient: option(integer({ min: 1, max: 10_000_000 }), {
      default: 2000,
      text: 'Maximum number of rooms that one client, or one subject of a token, has created.',
    }),
    maxRoomsPerAddress: option(integer({ min: 1, max: 10_000_000 }), {
      default: 8000,
      text: 'The same for all clients of one address together.',
    }),
    maxChannelsPerClient: option(integer({ min: 1, max: 10_000_000 }), {
      default: 20_000,
      text: 'Maximum number of channels that one client, or one subject of a token, has created. Above it, its longest idle channel goes, or it is refused.',
    }),
    maxChannelsPerAddress: option(integer({ min: 1, max: 10_000_000 }), {
      default: 80_000,
      text: 'The same for all clients of one address together.',
    }),
    maxParticipants: option(integer({ min: 1, max: 1_000_000 }), {
      default: 20_000,
      text: 'Maximum participants of a channel.',
    }),
    maxRoomParticipants: option(integer({ min: 1, max: 1_000_000 }), {
      default: 20_000,
      text: 'Maximum participants of a room.',
    }),
    maxSubscriptions: option(integer({ min: 1, max: 100_000 }), {
      default: 1000,
      text: 'Maximum subscriptions of a client.',
    }),
    maxSubscriptionsTotal: option(integer({ min: 1, max: 100_000_000 }), {
      default: 500_000,
      text: 'Maximum subscriptions of all clients together, some 550 bytes each. Once half of them are used, one address, and one client, gets no more than a share.',
    }),
    maxMetadataBytes: option(size({ min: '64B', max: '256KiB' }), {
      default: 16 * 1024,
      text: 'Maximum size of the `metadata` of a channel, and of the `room_config` of a room, in bytes of JSON as sent.',
    }),
    metadataBytes: option(size({ min: '1KiB', max: '64GiB' }), {
      default: 32 * MiB,
      text: 'Maximum bytes of these of all channels and rooms together. Once half of it is used, one client gets no more than a share.',
    }),
    sendBufferSoftLimit: option(size({ min: '1KiB', max: '256MiB' }), {
      default: ({ maxMessageBytes }) => 2 * longestFrame(maxMessageBytes),
      defaultText: '512KiB, or twice MAX_MESSAGE_BYTES where that is more',
      text: 'Bytes in the send buffer of a connection above which its subscriptions leave the live stream and catch up from the log.',
    }),
    sendBufferHardLimit: option(size({ min: '4KiB', max: '1GiB' }), {
      default: ({ maxMessageBytes }) => 4 * longestFrame(maxMessageBytes),
      defaultText: '1MiB, or four times MAX_MESSAGE_BYTES where that is more',
      text: 'Bytes in the send buffer of a connection at which it is closed with 4429; at least four times the longest frame.',
    }),
    sendBufferTotal: option(size({ min: '1MiB', max: '1024GiB' }), {
      default: 128 * MiB,
      text: 'Unread bytes of all connections together. From one eighth of it, SEND_BUFFER_SOFT_LIMIT shrinks, so that the slowest connections catch up from the log earlier; above it, the connections with the most unread bytes are closed with 4429.',
    }),
    socketSendBytes: option(size({ min: '0', max: '64MiB' }), {
      default: MiB / 4,
      text: 'Send buffer of the operating system for each connection, in addition to that of the bus. Linux doubles it; with 0, it may grow to 4 MB. Other systems ignore it.',
    }),
    fanoutBytes: option(size({ min: '1MiB', max: '64GiB' }), {
      default: 64 * MiB,
      text: 'Bytes of copies that wait to be sent: a message to many subscribers takes several turns of the event loop. Above it, clients that publish are not read until half of these bytes have been sent.',
    }),
    sampledKeys: option(integer({ min: 1, max: 100_000 }), {
      default: 1000,
      text: 'Maximum keys (`metadata.key`) of a channel that are distinguished for subscriptions with a delivery policy while these wait, and messages of a snapshot. Above it, the messages that have waited longest are left out.',
    }),
    sampledBytes: option(size({ min: '64KiB', max: '64GiB' }), {
      default: 32 * MiB,
      text: 'Memory for the newest messages that subscriptions with a delivery policy have yet to get, and as much again for snapshots; above it, the messages that have waited longest are left out. One snapshot has at most 1/32 of it.',
    }),
    snapshotMessages: option(integer({ min: 1, max: 10_000_000 }), {
      default: 10_000,
      text: 'Maximum messages of the history that are read for one snapshot, from the newest on.',
    }),
    presenceRate: option(rate, {
      default: bucket(10, 10),
      text: 'Rate of `set_presence` from one client.',
    }),
    presenceBytes: option(size({ min: '64KiB', max: '64GiB' }), {
      default: 32 * MiB,
      text: 'Memory for what presence keeps of clients: their statuses, and members without a connection. Above it, `set_presence` is refused.',
    }),
    telemetryBufferBytes: option(size({ min: '16KiB', max: '256MiB' }), {
      default: MiB,
      text: 'Unread bytes at which a telemetry subscriber gets no more events until it has read half of them; after 5 seconds it is closed.',
    }),
    telemetryEventsPerSecond: option(integer({ min: 10, max: 1_000_000 }), {
      default: 10_000,
      text: 'Maximum telemetry events of the bus in a second, a tenth of them in each tick of 100 ms; more wait for the next ticks. Each is written to every telemetry subscriber.',
    }),
    telemetryMaxWaiting: option(integer({ min: 1, max: 1_000_000 }), {
      default: 20_000,
      text: 'Maximum telemetry events of one type that wait for their tick, about 300 bytes each; those above it are only counted, in a `telemetry_summary`.',
    }),
  }),
  ...inGroup('Rooms and history', {
    autoCreate: option(boolean, {
      default: true,
      text: 'Whether a join or a publish creates a channel that does not exist.',
    }),
    create: option(choice(['user', 'admin']), {
      default: 'user',
      text: 'Who may create channels: every client, or admins.',
    }),
    rooms: option(rooms, { default: [], text: 'Rooms and channels that exist from the start.' }),
    bootstrap: option(choice(['strict', 'lenient']), {
      default: 'strict',
      text: 'What happens when a configured room or channel cannot be created: the start fails (`strict`), or goes on without it, degraded (`lenient`).',
    }),
    historySize: option(integer({ min: 0, max: 1_000_000 }), {
      default: byStorage(500, 10_000),
      defaultText: '500 in memory, 10000 with Redis',
      text: 'Maximum messages in the history of a channel.',
    }),
    historyTtlMs: option(duration({ min: '1ms', max: '3650d' }), {
      default: byStorage(86_400_000, 604_800_000),
      defaultText: '24h in memory, 7d with Redis',
      text: 'How long a message stays in the history of a channel.',
    }),
    historyBytes: option(size({ min: '0', max: '1024GiB' }), {
      default: 256 * MiB,
      text: 'Maximum bytes of history in memory, of all channels together. Above it, the client or subject whose messages take most loses its oldest ones.',
    }),
    channelBytes: option(size({ min: '1KiB', max: '1024GiB' }), {
      default: 64 * MiB,
      text: 'Maximum bytes of history of one channel, in memory or in Redis; above it, its oldest messages are removed.',
    }),
    inboxBytes: option(size({ min: '0', max: '1024GiB' }), {
      default: 64 * MiB,
      text: 'The same for private messages: those of all inboxes in memory together. A copy in the inbox of a recipient is counted to its sender.',
    }),
    channelIdleMs: option(duration({ min: '0s', max: '24d' }), {
      default: 60_000,
      text: 'Minimum time that an empty channel stays which a join or a publish created, and a room without channels.',
    }),
    dedupWindowMs: option(duration({ min: '1ms', max: '24h' }), {
      default: 120_000,
      text: 'How long an acknowledged message is remembered, so that a repetition of it is recognised.',
    }),
    dedupBytes: option(size({ min: '64KiB', max: '64GiB' }), {
      default: 128 * MiB,
      text: 'Memory for these; when it is full, messages that ask for an acknowledgement are refused.',
    }),
  }),
  ...inGroup('Liveness and shutdown', {
    pingIntervalMs: option(duration({ min: '10ms', max: '24h' }), {
      default: 25_000,
      text: 'How often the bus pings a connection.',
    }),
    pingTimeoutMs: option(duration({ min: '20ms', max: '24d' }), {
      default: 60_000,
      text: 'How long a connection may show no sign of life before it is closed with 4408. Bytes that arrive are a sign, and bytes that leave while more wait. Longer than the interval.',
    }),
    presenceGraceMs: option(duration({ min: '0s', max: '24h' }), {
      default: 15_000,
      text: 'How long presence still shows a client whose connection has ended: one that returns in this time has never left.',
    }),
    agentIdleMs: option(duration({ min: '100ms', max: '24d' }), {
      default: 60_000,
      text: 'How long an AI agent sends nothing before telemetry reports it as idle.',
    }),
    sessionTtlMs: option(duration({ min: '0s', max: '24d' }), {
      default: 600_000,
      text: 'How long the session of a closed connection can be resumed.',
    }),
    maxSessions: option(integer({ min: 0, max: 10_000_000 }), {
      default: 20_000,
      text: 'Maximum sessions of closed connections. Above it, the address or subject whose sessions take most bytes loses its oldest one.',
    }),
    sessionBytes: option(size({ min: '16KiB', max: '64GiB' }), {
      default: 64 * MiB,
      text: 'Maximum bytes of sessions: profiles, and the addresses that each is subscribed to. Above it, the same happens.',
    }),
    drainDelayMs: option(duration({ min: '0s', max: '10m' }), {
      default: 0,
      text: 'How long the bus keeps serving after a signal to stop, with `/ready` at 503, before it drains: the time that a load balancer needs to send new clients elsewhere.',
    }),
    drainTimeoutMs: option(duration({ min: '0s', max: '10m' }), {
      default: 10_000,
      text: 'Maximum time to drain connections on shutdown.',
    }),
  }),
  ...inGroup('Access', {
    allowAnonymous: option(boolean, {
      default: false,
      text: 'Whether the server may listen where other machines reach it though nobody has to show who they are. Without it, such a start is refused.',
    }),
    origins: option(list(origin, 'origins such as https://app.example.org (* for any)'), {
      default: [],
      text: "Web origins that may connect from a browser, in addition to the bus's own host.",
    }),
    allowedHosts: option(list(hostPattern, 'host names such as bus.example.org, *.example.org, or *'), {
      default: [],
      text: 'Host names accepted by the three ports (`Host`), in addition to IP addresses, `localhost`, and the hosts in HOST, TELEMETRY_HOST, HTTP_HOST, ORIGINS and CONSOLE_BUS_URL. A request for another name is refused with 421.',
    }),
    trustedProxies: option(list(network, 'addresses, networks such as 10.0.0.0/8, and loopback'), {
      default: [],
      text: 'Proxies whose `X-Forwarded-For` is trusted: limits and logs then use the address of the client instead of that of the proxy.',
    }),
    proxyProtocol: option(boolean, {
      default: false,
      text: 'Whether every connection to the three ports begins with a PROXY protocol header, version 1 or 2, from a trusted proxy. Other connections are closed.',
    }),
    permissions: optional(permissionRules, {
      text: 'What clients may do, by type and role: a JSON list of rules, or the path of a file with one, which is read again at a reload. If unset, tokens alone decide; without tokens, everyone may do everything but manage.',
    }),
    maxReplyRights: option(integer({ min: 1, max: 10_000_000 }), {
      default: 100_000,
      text: 'Maximum private messages whose recipients may answer once without a grant; the oldest are forgotten.',
    }),
    tokenInQuery: option(boolean, {
      default: false,
      text: 'Whether a token is accepted as `?token=`, which proxies write to their logs.',
    }),
    metricsToken: optional(strongSecret, {
      secret: true,
      text: 'If set, `/metrics` needs `Authorization: Bearer` with this token.',
    }),
    adminKey: optional(strongSecret, {
      secret: true,
      text: 'Grants the admin role. If unset, the admin role is unavailable. A short or well-known key is refused.',
    }),
  }),
  ...authOptions,
  ...inGroup('Storage', {
    redisUrl: optional(redisUrl, {
      secret: true,
      text: 'Redis or Valkey, which keeps history across restarts and connects several nodes. Without it, everything is in memory.',
    }),
    redisPassword: optional(secret, {
      secret: true,
      text: 'The password for Redis, where it is not in the URL.',
    }),
    redisTlsCa: optional(file, {
      text: 'Certificates (PEM) of the authorities that may have signed that of Redis, in place of those of the system. Read again at each connect, as are the next two.',
    }),
    redisTlsCert: optional(file, { text: 'The certificate (PEM) that the server shows to Redis.' }),
    redisTlsKey: optional(privateFile, { text: 'The private key (PEM) of that certificate.' }),
    redisTimeoutMs: option(duration({ min: '10ms', max: '1m' }), {
      default: 1000,
      text: 'Maximum time for a reply of Redis.',
    }),
    redisReplicas: option(integer({ min: 0, max: 16 }), {
      default: 0,
      text: 'Replicas that must confirm a message before it is acknowledged; the acknowledgement says how many did. Above 0, a server with WAITAOF also has to confirm the level `disk`.',
    }),
    redisQueueBytes: option(size({ min: '64KiB', max: '1GiB' }), {
      default: 16 * MiB,
      text: 'Bytes in flight to Redis, of all clients together; above it, a client that publishes is not read before its messages are settled.',
    }),
    queuedBytes: option(size({ min: '64KiB', max: '16GiB' }), {
      default: 64 * MiB,
      text: 'Maximum bytes of messages that are queued during an outage of the external log, to be appended after it; above it, publishes are refused.',
    }),
    storageMode: option(choice(['degrade', 'strict']), {
      default: 'degrade',
      text: 'During an outage of Redis: deliver messages provisionally (`degrade`), or refuse them (`strict`).',
    }),
    persist: option(
      list(choice(['messages', 'rooms', 'channels', 'sessions']), 'messages, rooms, channels, sessions'),
      {
        default: ['messages', 'rooms', 'channels', 'sessions'],
        text: 'What Redis keeps across restarts; `channels` includes their rooms, and `rooms` needs `channels` or `messages`. Without Redis, nothing is kept.',
      },
    ),
  }),
  ...inGroup('Webhooks', {
    webhooks: option(webhooks, {
      default: [],
      secret: true,
      text: 'Receivers of events over HTTPS, with the events that each gets and the secret that its requests are signed with.',
    }),
    webhooksAllowPrivate: option(boolean, {
      default: false,
      text: 'Whether receivers may be at private and loopback addresses, and at URLs that begin with http://.',
    }),
    webhooksTlsCa: optional(file, {
      text: 'Certificates (PEM) of authorities that may have signed those of receivers, in addition to the usual ones.',
    }),
    webhooksTimeoutMs: option(duration({ min: '10ms', max: '5m' }), {
      default: 15_000,
      text: 'How long a receiver may take to respond to a request.',
    }),
    webhooksQueueEvents: option(integer({ min: 1, max: 10_000_000 }), {
      default: 100_000,
      text: 'Maximum events that wait for one receiver; while there are as many, further ones are dropped and counted.',
    }),
    webhooksQueueBytes: option(size({ min: '64KiB', max: '64GiB' }), {
      default: 64 * MiB,
      text: 'Maximum bytes of these events.',
    }),
  }),
  ...inGroup('Logs', {
    logLevel: option(choice(['debug', 'info', 'warn', 'error', 'silent']), {
      default: 'info',
      text: 'Minimum log level.',
    }),
    logFormat: option(choice(['auto', 'pretty', 'json']), {
      default: 'auto',
      text: 'Log format, for people or for machines; `auto`: for people on a terminal, else JSON.',
    }),
  }),
  ...traceOptions,
} as const

/** The name of a setting in the code. */
export type OptionKey = keyof typeof options

/** What is in force: one value for each setting of the table. */
export type Config = Values<typeof options>

/** The keys of the table, in its order. */
export const optionKeys = Object.keys(options) as OptionKey[]

/** A setting whose kind of value does not matter. */
export const anyOption = (key: OptionKey) => options[key] as Option<unknown> & Grouped

/** Creates the parts of a server and connects them. */
import { type ProtocolVersions, protocolVersions, WHOLE_ROOM } from '@arqonbus/protocol'
import { createRoleOf } from './auth/authenticate.ts'
import { createKeyCheck } from './auth/secrets.ts'
import { createCommands } from './commands/index.ts'
import { createAbout } from './compose/bus-info.ts'
import { registerGauges } from './compose/gauges.ts'
import { openHttp } from './compose/http.ts'
import { createStorage } from './compose/storage.ts'
import { createReporting, createTelemetryServer } from './compose/telemetry.ts'
import { type Config, tracesUrl } from './config/index.ts'
import { createAdmission } from './connections/admit.ts'
import { drainClients } from './connections/drain.ts'
import { createHeartbeat } from './connections/heartbeat.ts'
import { createEndNotices } from './delivery/end-notices.ts'
import { createFrames } from './delivery/frames.ts'
import { createGapNotices } from './delivery/gaps.ts'
import { createDelivering } from './delivery/index.ts'
import { createReplies } from './delivery/replies.ts'
import type { ConsoleFile } from './http/console.ts'
import { createAwaited } from './http/streams/awaited.ts'
import { createStreamTopics } from './http/streams/stream-topics.ts'
import { CLOCK_TICK_MS, type Clock, systemClock } from './kit/clock.ts'
import { createFairQueue } from './kit/fair-queue.ts'
import { randomId } from './kit/random-id.ts'
import { byTimer, type Every } from './kit/timer.ts'
import { watchLoopLag } from './observability/event-loop-delay.ts'
import { type Logger, silentLogger } from './observability/logger.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { boundedLogger } from './observability/rate-limited-logger.ts'
import { createPeers } from './peers/peers.ts'
import { createPersistence, type Persistence } from './persistence/persistence.ts'
import { createRestore } from './persistence/restore.ts'
import type { BusLog } from './publish/draft.ts'
import { createOpenInbox, createOwnInbox } from './publish/inbox.ts'
import { createRecallOf } from './publish/load-target.ts'
import { createPublish } from './publish/publish.ts'
import { createRun } from './receive/execute.ts'
import { createReceive } from './receive/receive.ts'
import { openBusDoor } from './sockets/bus-socket.ts'
import { limitKernelBuffers } from './sockets/kernel-buffer.ts'
import { createListen } from './sockets/listen.ts'
import { drainMicrotasks } from './sockets/microtasks.ts'
import { createBuiltIn, createConfigured, refuseUnmade } from './state/bootstrap.ts'
import { createClients } from './state/clients.ts'
import { createSweep } from './state/expire.ts'
import { createIdleChannels } from './state/idle.ts'
import { createInboxes } from './state/inboxes.ts'
import type { Channel, Feed } from './state/model.ts'
import { createRoomResolver } from './state/resolve.ts'
import { createRooms } from './state/rooms.ts'
import { createSessions } from './state/sessions.ts'
import { createJoin } from './subscriptions/join.ts'
import { createMembership, type Membership } from './subscriptions/subscriptions.ts'
import { createTelemetry, type Telemetry } from './telemetry/relay.ts'

/** What a bus is started with. */
export type StartOptions = {
  readonly config: Config
  readonly logger?: Logger
  readonly clock?: Clock
  /** The log of the channels; that in memory unless told. */
  readonly log?: (options: { clock: Clock; metrics: Metrics; config: Config }) => BusLog
  /** The protocol versions that are spoken. */
  readonly versions?: ProtocolVersions
  /** The files of the console; without them there is none. */
  readonly consoleFiles?: () => Promise<readonly ConsoleFile[]>
  /** Opens the door for WebSockets; that of the runtime unless told. */
  readonly openDoor?: typeof openBusDoor
  /** Does something again and again; timers of the runtime unless told. */
  readonly every?: Every
}

/** A bus that runs. */
export type RunningServer = {
  /** `ws://host:port/`. */
  readonly busUrl: string
  /** `http://host:port`. */
  readonly httpUrl: string
  /** `ws://host:port/` of the telemetry server; undefined where there is none. */
  readonly telemetryUrl: string | undefined
  /** Serves on for the drain delay while `/ready` says no; then notifies every client, closes the connections and ends, within the drain timeout. */
  drain(reason: string): Promise<void>
  /** Logs how many messages, and records of rooms, channels and sessions, end with the process, where there are any: those that the storage does not have yet. */
  logLoss(reason: string): void
}

const SWEEP_EVERY_MS = 1000
const SWEEP_LEAST_MS = 50

/** Why something is lost when the process ends. */
const STORAGE_AWAY = 'the storage is away'

/** A channel that another server creates is found so much later by a stream that waits for it, at most. */
const STREAMS_LOOK_MS = 5000

/** Listeners of the telemetry server hear the end of everybody else, and then have so long to leave. */
const LISTENERS_LEAVE_MS = 500

/** Starts a bus; a `StartError` where it cannot. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const { config, clock = systemClock, versions = protocolVersions, openDoor = openBusDoor, every = byTimer } = options
  const logger = boundedLogger(options.logger ?? silentLogger, { perSecond: 100 })
  const metrics = createMetrics({ now: clock.monotonic })
  const node = randomId(8)
  /** From the signal to stop on; clients are still served as long as it is not draining. */
  let isStopping = false
  let isDraining = false
  let unmade: string[] = []

  // What is known.
  const storage = createStorage({
    config,
    clock,
    metrics,
    logger,
    node,
    changed: (event, details) => reports.storage(event, details),
  })
  const log = options.log?.({ clock, metrics, config }) ?? storage.log
  const history = { size: config.historySize, ttlMs: config.historyTtlMs }
  const isStorageAway = () => log.isAway || storage.isAway()
  const about = createAbout({
    config,
    clock,
    node,
    versions: [...versions.keys()],
    log,
    isDraining: () => isDraining,
    isDegraded: () => unmade.length > 0 || isStorageAway() || telemetryServer.fault !== undefined,
  })
  const openLog = (key: string, feeds: readonly Feed[], logOptions = history) => log.open(key, feeds, logOptions)
  const clients = createClients()
  const reporting = createReporting({
    config,
    clock,
    metrics,
    clients,
    rooms: () => rooms,
    telemetry: () => telemetry,
  })
  const { reports } = reporting
  const sessions = createSessions(config.maxSessions, clock, (id, isNew) => persistence?.sessionChanged(id, isNew))
  const inboxes = createInboxes({ open: openLog, closed: log.closed })
  const idle = createIdleChannels({ now: clock.monotonic, idleMs: config.channelIdleMs })
  const rooms = createRooms(
    {
      clock,
      limits: { ...config, history },
      openLog,
      ended(channel) {
        endings.channelEnded(channel)
        membership.channelEnded(channel)
        reports.deleted(channel)
      },
      changed: (room, channel) => persistence?.placeChanged(room, channel),
    },
    idle,
  )

  // Where there are no traces, nothing of them is loaded, and nobody asks for them but by one `undefined`.
  const url = tracesUrl(config)
  const tracing =
    url === undefined
      ? undefined
      : (await import('./observability/tracing/tracing.ts')).createTracing({
          url,
          config,
          clock,
          metrics,
          logger,
          node,
        })

  // From the log to the clients.
  const frames = createFrames(clock, node)
  const topics = createStreamTopics()
  const delivering = createDelivering({
    config,
    every,
    clock,
    metrics,
    logger,
    isImmediate: log.isImmediate,
    gapBefore: (...of) => gaps.foundBefore(...of),
    clients: clients.all,
    publish: (topic, text) => door.publish(topic, text),
    publishToStreams: topics.publish,
    otherBytes: () => telemetryServer.queueBytes(),
    slow: reports.slow,
    relieved: () => receive.relieved(),
  })
  const { delivery, catchUp, buffers } = delivering
  const membership: Membership = createMembership(config, delivery, clock, {
    joined(client, room, channel) {
      persistence?.subscribed(client)
      reports.joined(client, room, channel)
    },
    left(client, room, channel) {
      if (!client.isClosing && client.kind === 'connection')
        sessions.left(client.id, channel?.address ?? `${room.name}:*`)
      persistence?.subscribed(client)
      reports.left(client, room, channel)
    },
  })
  const gaps = createGapNotices(frames, delivery, metrics, catchUp.broke)
  const endings = createEndNotices(frames, delivery)
  const awaited = createAwaited()
  const listenToNew = (channel: Channel) => {
    membership.channelCreated(channel)
    awaited.created(channel)
  }
  const created = (channel: Channel) => {
    listenToNew(channel)
    reports.created(channel)
    logger.info({
      event: 'channel_created',
      room: channel.room.name,
      channel: channel.name,
      client_id: channel.createdBy,
    })
  }
  const openInbox = createOpenInbox({
    inboxes,
    sessions,
    clients,
    delivery,
    opened: (id) => persistence?.sessionChanged(id),
  })
  const ownInbox = createOwnInbox(openInbox)
  const persistence: Persistence | undefined =
    storage.store &&
    createPersistence({
      ...config,
      store: storage.store,
      clock: storage.clock,
      logger,
      rooms,
      sessions,
      clients,
      hasInbox: (session) => inboxes.get(session) !== undefined,
      restore: createRestore({ rooms, membership, endings, created: listenToNew }),
    })

  // From the clients to the log.
  const places = createRoomResolver({
    rooms,
    creation: config,
    created,
    isUnsure: () => persistence?.isUnsure() === true,
  })
  const answers = createReplies({
    frames,
    delivery,
    metrics,
    logger,
    sendBufferSoftLimit: config.sendBufferSoftLimit,
    refused: reports.refused,
  })
  const turns = createFairQueue(clock, drainMicrotasks)
  const publish = createPublish({
    log,
    clock,
    metrics,
    places,
    delivery,
    answers,
    gaps,
    roomOf: rooms.get,
    historySize: config.historySize,
    placeChanged:
      persistence &&
      (({ room, channel }) => persistence.placeChanged(room, channel === WHOLE_ROOM ? undefined : channel)),
    trace: tracing?.publish,
    openInbox,
    ownInbox,
    isKnown: (id) => sessions.get(id) !== undefined,
    isUnsureOfSessions: () => persistence?.isUnsureOfSessions() === true,
    routed: reports.routed,
    turns,
  })
  const join = createJoin({
    metrics,
    places,
    membership,
    inboxOf: ownInbox,
    turns,
    persistence,
    closedLog: log.closed,
  })
  const isAdminKey = createKeyCheck(config.adminKey)
  const roleOf = createRoleOf(isAdminKey)
  const newClientId = () => `client-${randomId(12)}`
  const admission = createAdmission({
    clock,
    logger,
    metrics,
    clients,
    sessions,
    inboxes,
    membership,
    delivery,
    frames,
    join,
    turns,
    persistence,
    roleOf,
    sessionTtlMs: config.sessionTtlMs,
    newClientId,
    watcher: reports,
    greeting: about.greeting,
  })
  const commands = createCommands({
    clock,
    rooms,
    clients,
    places,
    membership,
    sessions,
    endings,
    join,
    turns,
    persistence,
    created,
    create: config.create,
    durability: log.durability,
    maxMetadataBytes: config.maxMetadataBytes,
    maxListBytes: about.maxListBytes,
    disconnect: admission.disconnect,
    inboxOf: ownInbox,
    connections: () => door.connections,
    server: about.server,
    storage: about.storage,
  })
  const run = createRun({
    commands,
    clock,
    answers,
    metrics,
    logger,
    rate: config.commandRate,
    isAdminKey,
    turns,
    trace: tracing?.command,
    ran(client, command, refused) {
      reports.commanded(client)
      if (refused === 'rate_limited') reports.refused(client, refused, {}, command)
    },
  })

  // What is there from the start, and who watches it.
  const peers = createPeers(config, createListen({ config, logger, metrics }))
  const telemetryServer = createTelemetryServer({
    config,
    versions,
    clock,
    turns,
    metrics,
    logger,
    frames,
    clients,
    isAdminKey,
    newClientId,
    peers,
    isDraining: () => isDraining,
    telemetry: () => telemetry,
    greeting: about.greeting,
    buffers,
  })
  const telemetry: Telemetry = createTelemetry({
    ...createBuiltIn(rooms),
    listeners: telemetryServer.listeners,
    toListeners: telemetryServer.toListeners,
    delivery,
    answers,
    frames,
    clock,
    metrics,
  })
  unmade = createConfigured(rooms, config.rooms)
  refuseUnmade(unmade, config.bootstrap, rooms.size)
  for (const failure of unmade) logger.warn({ event: 'bootstrap_incomplete', failure })

  const receive = createReceive({
    limits: config,
    versions,
    clock,
    metrics,
    logger,
    answers,
    delivery,
    catchUp,
    publish,
    recall: persistence && createRecallOf(persistence),
    run,
    turns,
    isCongested: () => log.isCongested,
    relayTelemetry: telemetry.fromClient,
    refused: reports.refused,
  })

  // What was kept is there before anybody can ask for it.
  await storage.start()

  // The doors.
  const door = orClose(storage, () =>
    openDoor(config, {
      versions,
      clock,
      metrics,
      logger,
      frames,
      admission,
      receive,
      turns,
      peers,
      isDraining: () => isDraining,
    }),
  )
  orClose({ close: () => [door.close(), storage.close()] }, telemetryServer.open)
  const http = orClose({ close: () => [door.close(), telemetryServer.close(0), storage.close()] }, () =>
    openHttp({
      config,
      clock,
      metrics,
      logger,
      frames,
      clients,
      sessions,
      admission,
      receive,
      turns,
      peers,
      topics,
      awaited,
      places,
      persistence,
      roleOf,
      versions: [...versions.keys()],
      health: () => ({
        status: about.health(),
        ...(telemetryServer.fault !== undefined && { telemetry: telemetryServer.fault }),
      }),
      ready: () => ({ ready: !isStopping }),
      isStopping: () => isStopping,
      isDraining: () => isDraining,
      consoleFiles: options.consoleFiles,
      busPort: door.port,
    }),
  )
  limitKernelBuffers([door.url, telemetryServer.url, http.url], config.socketSendBytes)
  registerGauges({
    config,
    metrics,
    door,
    telemetryServer,
    streams: http.streams,
    clients,
    sessions,
    rooms,
    membership,
    catchUp,
    delivery,
    log,
    storage,
    isStorageAway,
    unstoredRecords: () => persistence?.unstored() ?? 0,
    status: about.status,
  })

  // What is done now and then.
  const sweep = createSweep({ ...config, clock, log, rooms, idle, sessions, inboxes, persistence, turns })
  const heartbeat = createHeartbeat({ ...config, clock, logger, clients: clients.all, delivery, turns })
  const stops = [
    delivering.stop,
    every(Math.min(SWEEP_EVERY_MS, Math.max(SWEEP_LEAST_MS, config.channelIdleMs)), sweep),
    every(heartbeat.everyMs, heartbeat.beat),
    every(SWEEP_EVERY_MS, delivery.look),
    every(telemetryServer.toListeners.everyMs, telemetryServer.toListeners.tick),
    every(reporting.idleEveryMs, reporting.lookForIdle),
    // Read with every tick, the clock can tell a process that was frozen from one that nobody asked for the time.
    every(CLOCK_TICK_MS, clock.monotonic),
    every(STREAMS_LOOK_MS, http.streams.look),
    watchLoopLag(every, metrics.loopLag),
  ]

  const logLostMessages = (reason: string) => {
    const { queuedMessages } = log.usage()
    if (queuedMessages > 0) logger.error({ event: 'messages_lost', count: queuedMessages, reason })
  }
  const logLostRecords = (reason: string) => {
    const count = persistence?.unstored() ?? 0
    if (count > 0) logger.error({ event: 'records_lost', count, reason })
  }

  return {
    busUrl: door.url,
    httpUrl: http.url,
    telemetryUrl: telemetryServer.url,
    logLoss(reason) {
      logLostMessages(reason)
      logLostRecords(reason)
    },
    async drain(reason) {
      if (isStopping) return
      isStopping = true
      if (config.drainDelayMs > 0) {
        logger.info({ event: 'drain_delayed', reason, delay_ms: config.drainDelayMs })
        await new Promise((resolve) => setTimeout(resolve, config.drainDelayMs))
      }
      isDraining = true
      logger.info({ event: 'draining', reason, connections: door.connections })
      receive.stop()
      telemetryServer.announceEnd()
      // What was acknowledged while the storage was away is still to be stored, and what was published may still have to go out.
      const isSettled = () =>
        receive.isSettled() &&
        log.usage().queuedMessages === 0 &&
        persistence?.arePlacesStored() !== false &&
        delivery.waitingBytes() === 0
      await drainClients({
        ...config,
        clients: clients.all,
        frames,
        delivery,
        turns,
        random: Math.random,
        isSettled,
        connections: () => door.connections + http.streams.size,
      })
      logLostMessages(STORAGE_AWAY)
      for (const stop of stops) stop()
      await door.close()
      http.streams.close()
      admission.departAll()
      reporting.flush()
      await telemetryServer.close(LISTENERS_LEAVE_MS)
      // The clients that left now have sessions to be kept too.
      await persistence?.close(config.redisTimeoutMs)
      logLostRecords(STORAGE_AWAY)
      log.close()
      storage.close()
      await tracing?.close()
      await http.close()
    },
  }
}

function orClose<Door>(earlier: { close(): unknown }, open: () => Door): Door {
  try {
    return open()
  } catch (problem) {
    void earlier.close()
    throw problem
  }
}

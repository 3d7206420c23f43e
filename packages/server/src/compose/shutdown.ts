/**
 * Ends a server: clients are notified, what was acknowledged is stored and delivered, and everything is closed in the
 * order of its dependencies.
 */
import { drainClients } from '../connections/drain.ts'
import type { Core } from './core.ts'
import type { Parts } from './parts.ts'

/** How a server ends. */
export type Shutdown = {
  /**
   * Serves on for the drain delay while `/ready` says no; then notifies every client, closes the connections and ends,
   * within the drain timeout.
   */
  drain(reason: string): Promise<void>
  /**
   * Logs how many messages, and records of rooms, channels and sessions, end with the process, where there are any:
   * those that the storage does not have yet.
   */
  logLoss(reason: string): void
}

/** Why something is lost when the process ends. */
const STORAGE_AWAY = 'the storage is away'

/**
 * Subscribers of the telemetry server get the events of every client that leaves, and then have this long to
 * disconnect.
 */
const SUBSCRIBERS_LEAVE_MS = 500

/** Webhooks get the events of the clients that leave, and then have this long to accept what waits for them. */
const WEBHOOKS_END_MS = 1000

/** Creates the shutdown of a server. */
export function createShutdown(core: Core, parts: Parts, stopTimers: () => void): Shutdown {
  const { config, logger, lifecycle, tracing } = core
  const { log, storage, state, outbound, inbound, persistence, telemetry, ports, http, webhooks } = parts
  const { receive, admission } = inbound
  const { delivery } = outbound

  const logLostMessages = (reason: string) => {
    const { queuedMessages } = log.usage()
    if (queuedMessages > 0) logger.error({ event: 'messages_lost', count: queuedMessages, reason })
  }
  const logLostRecords = (reason: string) => {
    const count = persistence?.unstored() ?? 0
    if (count > 0) logger.error({ event: 'records_lost', count, reason })
  }
  /**
   * What was acknowledged while the storage was away is still to be stored, and what was published may still have to go
   * out.
   */
  const isSettled = () =>
    receive.isSettled() &&
    log.usage().queuedMessages === 0 &&
    persistence?.areRoomsStored() !== false &&
    delivery.waitingBytes() === 0
  const closeAll = async () => {
    logLostMessages(STORAGE_AWAY)
    stopTimers()
    await ports.bus.close()
    http.streams.close()
    admission.departAll()
    telemetry.flush()
    await Promise.all([telemetry.server.close(SUBSCRIBERS_LEAVE_MS), webhooks.close(WEBHOOKS_END_MS)])
    // The clients that left now have sessions to be stored too.
    await persistence?.close(config.redisTimeoutMs)
    logLostRecords(STORAGE_AWAY)
    log.close()
    storage.close()
    await tracing?.close()
    await http.close()
  }

  return {
    logLoss(reason) {
      logLostMessages(reason)
      logLostRecords(reason)
    },
    async drain(reason) {
      if (lifecycle.isStopping) return
      lifecycle.isStopping = true
      if (config.drainDelayMs > 0) {
        logger.info({ event: 'drain_delayed', reason, delay_ms: config.drainDelayMs })
        await new Promise((resolve) => setTimeout(resolve, config.drainDelayMs))
      }
      lifecycle.isDraining = true
      logger.info({ event: 'draining', reason, connections: ports.bus.connections })
      receive.stop()
      outbound.sampling.endPeriods()
      telemetry.server.announceEnd()
      await drainClients({
        ...core,
        ...config,
        clients: state.clients.all,
        delivery,
        random: Math.random,
        isSettled,
        connections: () => ports.bus.connections + http.streams.size,
      })
      await closeAll()
    },
  }
}

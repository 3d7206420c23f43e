/** What the bus says of itself: its name and version, its limits, and its health. */
import { type CommandResult, CURRENT_VERSION } from '@arqonbus/protocol'
import { longestFrame } from '../config/index.ts'
import type { Greeting } from '../connections/enter.ts'
import { type HealthReason, isMemoryLow, reason } from '../http/health.ts'
import type { Health } from '../http/routes.ts'
import { isoTime } from '../kit/clock.ts'
import { openFiles, thisMachine, usedMemory } from '../kit/system-limits.ts'
import { versionInfo } from '../kit/version.ts'
import type { Status } from '../observability/metric-labels.ts'
import type { BusLog } from '../publish/draft.ts'
import type { Core } from './core.ts'
import type { Storage } from './storage.ts'

/** What the bus says of itself. */
export type BusInfo = ReturnType<typeof createBusInfo>

/**
 * What the server adds to a message, or says around one: no frame of its own is longer than the longest message and
 * this.
 */
const OWN_BYTES = 1024

/** Creates the bus info; the uptime counts from now. */
export function createBusInfo(core: Core, log: BusLog, storage: Storage) {
  const { config, clock, node, lifecycle } = core
  const versions = [...core.versions.keys()]
  const startedAt = clock.now()
  const since = clock.monotonic()
  /** The longest frame that the bus sends. */
  const maxFrameBytes = longestFrame(config.maxMessageBytes) + OWN_BYTES
  const isStorageAway = () => log.isAway || storage.isAway()
  const faults = (): HealthReason[] => {
    const found: HealthReason[] = []
    if (isStorageAway()) found.push(reason('storage_away', storage.fault()))
    if (lifecycle.telemetryFault !== undefined) found.push(reason('telemetry_unavailable', lifecycle.telemetryFault))
    if (lifecycle.unmade.length > 0) found.push(reason('bootstrap_incomplete', lifecycle.unmade.join('; ')))
    if (isMemoryLow(usedMemory(), thisMachine.memoryBytes)) found.push(reason('memory_low'))
    if (openFiles.isNearLimit()) found.push(reason('open_files_low'))
    return found
  }
  const stopping = (): HealthReason[] =>
    lifecycle.isStopping ? [reason(lifecycle.isDraining ? 'draining' : 'stopping')] : []
  const statusBy = (found: readonly HealthReason[]): Status =>
    lifecycle.isDraining ? 'draining' : found.length > 0 ? 'degraded' : 'ok'
  const status = () => statusBy(faults())
  const greeting: Greeting = {
    node,
    bus: () => log.identity,
    versions,
    limits: {
      max_message_bytes: config.maxMessageBytes,
      max_frame_bytes: maxFrameBytes,
      max_depth: config.maxDepth,
      max_subscriptions: config.maxSubscriptions,
      messages_per_second: config.rateLimit?.perSecond ?? null,
      message_burst: config.rateLimit?.burst ?? null,
      dedup_window_ms: config.dedupWindowMs,
      session_ttl_ms: config.sessionTtlMs,
    },
    heartbeat_ms: config.pingIntervalMs,
    durability: log.durability,
  }
  return {
    greeting,
    /** The longest list in the result of a command. Around a list there are other fields, and `status` has two. */
    maxListBytes: maxFrameBytes - 2 * OWN_BYTES,
    health: (): Health => {
      const found = faults()
      return { status: statusBy(found), reasons: [...stopping(), ...found] }
    },
    /** Why no client should be sent here. */
    stopping,
    status,
    isStorageAway,
    server: (): CommandResult<'status'>['server'] => ({
      name: 'arqonbus',
      version: versionInfo.version,
      protocol: CURRENT_VERSION,
      node,
      status: status(),
      started_at: isoTime(startedAt),
      uptime_seconds: (clock.monotonic() - since) / 1000,
    }),
  }
}

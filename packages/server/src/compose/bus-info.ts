/** What the bus says of itself: who it is, what it takes, and how it is. */
import { type CommandResult, CURRENT_VERSION } from '@arqonbus/protocol'
import { type Config, longestFrame } from '../config/index.ts'
import type { Greeting } from '../connections/enter.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import { versionInfo } from '../kit/version.ts'
import type { Status } from '../observability/metric-labels.ts'
import type { BusLog } from '../publish/draft.ts'

/** What it is known by. */
export type AboutDeps = {
  readonly config: Config
  readonly clock: Clock
  readonly node: string
  /** The protocol versions that are spoken. */
  readonly versions: readonly string[]
  readonly log: BusLog
  readonly isDraining: () => boolean
  /** True while something is not as it should be. */
  readonly isDegraded: () => boolean
}

/** What it says. */
export type About = {
  readonly greeting: Greeting
  /** The longest frame that the bus sends. */
  readonly maxFrameBytes: number
  /** The longest list in the result of a command. */
  readonly maxListBytes: number
  readonly health: () => 'ok' | 'degraded'
  readonly status: () => Status
  readonly server: () => CommandResult<'status'>['server']
  readonly storage: () => CommandResult<'status'>['storage']
}

/** What the server adds to a message, or says around one: no frame of its own is longer than the longest message and this. */
const OWN_BYTES = 1024

/** Makes it; the bus starts now. */
export function createAbout({ config, clock, node, versions, log, isDraining, isDegraded }: AboutDeps): About {
  const startedAt = clock.now()
  const since = clock.monotonic()
  const maxFrameBytes = longestFrame(config.maxMessageBytes) + OWN_BYTES
  const health = () => (isDegraded() ? 'degraded' : 'ok')
  const status = () => (isDraining() ? 'draining' : health())
  return {
    greeting: {
      node,
      bus: () => log.identity,
      versions: [...versions],
      durability: log.durability,
      heartbeat_ms: config.pingIntervalMs,
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
    },
    maxFrameBytes,
    // Around a list there are other fields, and `status` has two.
    maxListBytes: maxFrameBytes - 2 * OWN_BYTES,
    health,
    status,
    server: () => ({
      name: 'arqonbus',
      version: versionInfo.version,
      protocol: CURRENT_VERSION,
      node,
      status: status(),
      started_at: isoTime(startedAt),
      uptime_seconds: (clock.monotonic() - since) / 1000,
    }),
    storage: () => {
      const { messages, bytes } = log.usage()
      return { driver: log.name, durability: log.durability(), history_bytes: bytes, history_messages: messages }
    },
  }
}

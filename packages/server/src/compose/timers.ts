/** Starts what is done again and again. */
import { createHeartbeat } from '../connections/heartbeat.ts'
import { EXPIRY_TICK_MS } from '../connections/token-expiry.ts'
import { CLOCK_TICK_MS } from '../kit/clock.ts'
import { watchLoopLag } from '../observability/event-loop-delay.ts'
import { createSweep } from '../state/expire.ts'
import type { Core } from './core.ts'
import type { Parts } from './parts.ts'
import { createTlsWatch, type ServerTls, TLS_LOOK_MS } from './tls.ts'

const SWEEP_EVERY_MS = 1000
const SWEEP_LEAST_MS = 50

/** A channel that another server creates is found so much later by a stream that waits for it, at most. */
const STREAMS_LOOK_MS = 5000

/** Starts the timers of a server; returns the function that stops them. */
export function startTimers(
  core: Core,
  { log, state, outbound, inbound, persistence, telemetry, http, ports, figures }: Parts,
) {
  const { config, clock, metrics, every } = core
  const { delivery } = outbound
  const { broadcast } = telemetry
  const sweep = createSweep({ ...core, ...config, ...state, log, persistence })
  const heartbeat = createHeartbeat({ ...core, ...config, clients: state.clients.all, delivery })
  const stops = [
    () => outbound.stop(),
    () => outbound.presence.stop(),
    every(Math.min(SWEEP_EVERY_MS, Math.max(SWEEP_LEAST_MS, config.channelIdleMs)), sweep),
    every(heartbeat.everyMs, heartbeat.beat),
    every(SWEEP_EVERY_MS, () => {
      ports.bus.look()
      http.streams.lookAtBuffers()
    }),
    every(broadcast.everyMs, () => {
      ports.telemetry.look()
      broadcast.tick()
    }),
    every(telemetry.idleEveryMs, telemetry.lookForIdle),
    // Read with every tick, the clock can distinguish a frozen process from one that did not read it.
    every(CLOCK_TICK_MS, clock.monotonic),
    every(STREAMS_LOOK_MS, () => void http.streams.look()),
    every(figures.everyMs, figures.sample),
    ...(core.tls === undefined ? [] : [every(TLS_LOOK_MS, watchCertificate(core, core.tls))]),
    watchLoopLag(every, metrics.loopLag),
    ...(config.auth === 'none' ? [] : tokenTimers(core, { inbound, telemetry })),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** Tokens that expire, and keys that are fetched again. */
function tokenTimers({ config, every, auth }: Core, { inbound, telemetry }: Pick<Parts, 'inbound' | 'telemetry'>) {
  const { refreshKeys } = auth
  return [
    every(EXPIRY_TICK_MS, () => {
      inbound.expiry.tick()
      telemetry.expiry.tick()
    }),
    ...(refreshKeys === undefined ? [] : [every(config.tokenJwksRefreshMs, refreshKeys)]),
  ]
}

const watchCertificate = ({ reload, logger }: Core, { files }: ServerTls) =>
  createTlsWatch({ files, logger, read: () => reload.runPart('tls') })

/** Puts delivery together: live, behind, and the bounds that hold for both. */
import type { Config } from '../config/index.ts'
import { type Every, whileNeeded } from '../kit/timer.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type CatchUp, type CatchUpDeps, createCatchUp } from './catch-up.ts'
import { createDelivery, type Delivery, type DeliveryDeps } from './deliver.ts'
import type { Frames } from './frames.ts'
import { createGapBefore, createGapNotices, type GapNotices } from './gaps.ts'
import { createSendBuffers, type SendBuffers } from './send-buffers.ts'
import { createTails } from './tails.ts'

/** What it needs from elsewhere. */
export type DeliveringDeps = Pick<
  DeliveryDeps,
  'clock' | 'logger' | 'clients' | 'publish' | 'publishToStreams' | 'otherBytes' | 'slow'
> &
  Pick<CatchUpDeps, 'isImmediate'> & {
    readonly frames: Frames
    readonly config: Pick<Config, 'sendBufferSoftLimit' | 'sendBufferTotal' | 'fanoutBytes' | 'pingTimeoutMs'>
    readonly metrics: DeliveryDeps['metrics'] & CatchUpDeps['metrics'] & Pick<Metrics, 'broke'>
    readonly every: Every
  }

/** Delivery. */
export type Delivering = {
  readonly delivery: Delivery
  readonly catchUp: CatchUp
  readonly buffers: SendBuffers
  readonly gaps: GapNotices
  /** Ends what is done now and then. */
  stop(): void
}

/** How often the connections that are behind are looked at, while there are any. */
const CATCH_UP_EVERY_MS = 50

/** How many times the soft limit a reader may be behind, where its log keeps less. */
const TAIL_TIMES = 8

/** Makes it. */
export function createDelivering({ config, every, frames, ...deps }: DeliveringDeps): Delivering {
  const { sendBufferSoftLimit, fanoutBytes, sendBufferTotal } = config
  const buffers = createSendBuffers(sendBufferTotal)
  const tails = createTails({ logBytes: TAIL_TIMES * sendBufferSoftLimit, totalBytes: sendBufferTotal / 4 })
  const catchUp = createCatchUp({
    ...deps,
    buffers,
    tails: {
      after: tails.after,
      sweep() {
        if (delivery.waitingBytes() === 0) tails.sweep()
      },
    },
    stuckMs: config.pingTimeoutMs,
    gapBefore: createGapBefore(frames, deps.metrics),
    resumeLive: (...of) => delivery.resumeLive(...of),
    close: (...of) => delivery.close(...of),
    slow: (client) => deps.slow(client, 'closed'),
  })
  const ticks = whileNeeded(every, CATCH_UP_EVERY_MS, () => {
    catchUp.tick()
    return catchUp.size() > 0 || tails.size > 0
  })
  const delivery: Delivery = createDelivery({
    ...deps,
    sendBufferSoftLimit,
    fanoutBytes,
    buffers,
    // Elsewhere what is kept outlasts any reader, and pages of it come later.
    keepForSlow: deps.isImmediate
      ? (...of) => {
          tails.keep(...of)
          ticks.wake()
        }
      : undefined,
    otherBytes: () => deps.otherBytes() + tails.bytes(),
    fellBehind(client) {
      catchUp.add(client)
      ticks.wake()
    },
  })
  const gaps = createGapNotices(frames, delivery, deps.metrics, catchUp.broke)
  return { delivery, catchUp, buffers, gaps, stop: ticks.stop }
}

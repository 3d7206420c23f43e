/** Puts delivery together: live, behind, and the bounds that hold for both. */
import type { Config } from '../../config/index.ts'
import { type CatchUp, type CatchUpDeps, createCatchUp } from './catch-up.ts'
import { createDelivery, type Delivery, type DeliveryDeps } from './deliver.ts'
import { createSendBuffers, type SendBuffers } from './send-buffers.ts'
import { createTails } from './tails.ts'

/** What it needs from elsewhere. */
export type DeliveringDeps = Pick<
  DeliveryDeps,
  'clock' | 'logger' | 'clients' | 'publish' | 'publishToStreams' | 'otherBytes' | 'slow' | 'relieved'
> &
  Pick<CatchUpDeps, 'isImmediate' | 'gapBefore'> & {
    readonly config: Pick<Config, 'slowBytes' | 'sendBufferTotal' | 'fanoutBytes' | 'pingTimeoutMs'>
    readonly metrics: DeliveryDeps['metrics'] & CatchUpDeps['metrics']
  }

/** Delivery. */
export type Delivering = { readonly delivery: Delivery; readonly catchUp: CatchUp; readonly buffers: SendBuffers }

/** How many times the soft limit a reader may be behind, where its log keeps less. */
const TAIL_TIMES = 8

/** Makes it. */
export function createDelivering({ config, ...deps }: DeliveringDeps): Delivering {
  const { slowBytes, fanoutBytes, sendBufferTotal } = config
  const buffers = createSendBuffers(sendBufferTotal)
  const tails = createTails({ logBytes: TAIL_TIMES * slowBytes, totalBytes: sendBufferTotal / 4 })
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
    putLive: (...of) => delivery.putLive(...of),
    close: (...of) => delivery.close(...of),
    slow: (client) => deps.slow(client, 'closed'),
  })
  const delivery: Delivery = createDelivery({
    ...deps,
    slowBytes,
    fanoutBytes,
    buffers,
    // Elsewhere what is kept outlasts any reader, and pages of it come later.
    keepForSlow: deps.isImmediate ? tails.keep : undefined,
    otherBytes: () => deps.otherBytes() + tails.bytes(),
    fellBehind: catchUp.add,
  })
  return { delivery, catchUp, buffers }
}

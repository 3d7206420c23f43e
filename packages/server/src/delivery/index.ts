/** Creates delivery: live subscriptions, those that catch up, and the bounds that hold for both. */
import type { Snapshot } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import type { Entry, Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Feed } from '../state/model.ts'
import type { PublishToTopic } from '../state/transport.ts'
import { CatchUp, type CatchUpDeps } from './catch-up.ts'
import { Closing, type ClosingDeps } from './closing.ts'
import { createDelivery } from './deliver.ts'
import { FanOut, type FanOutDeps, type Topics } from './fan-out.ts'
import type { Frames } from './frames.ts'
import { createGapBefore, createGapNotices } from './gaps.ts'
import { LiveSubscriptions } from './live.ts'
import type { NewestLimits } from './sampling/newest.ts'
import { MOST_HELD, Preludes, type PreludesDeps } from './sampling/preludes.ts'
import { Sampling } from './sampling/sampling.ts'
import { createSendBuffers } from './send-buffers.ts'
import { SlowConsumers, UNSEEN_SHARE } from './slow-consumers.ts'
import { createTails } from './tails.ts'

/** What delivery needs. */
export type DeliveryPartsDeps = Pick<CatchUpDeps, 'clock' | 'logger' | 'every' | 'isImmediate'> &
  Pick<FanOutDeps, 'clients' | 'nextTurn'> &
  Pick<ClosingDeps, 'slow'> &
  Pick<PreludesDeps, 'turns'> & {
    readonly frames: Pick<Frames, 'envelope'>
    readonly config: Pick<
      Config,
      | 'sendBufferSoftLimit'
      | 'sendBufferTotal'
      | 'fanoutBytes'
      | 'pingTimeoutMs'
      | 'sampledKeys'
      | 'sampledBytes'
      | 'snapshotMessages'
    >
    readonly metrics: Pick<
      Metrics,
      'delivered' | 'bytesOut' | 'slowFallbacks' | 'limit' | 'slowClosed' | 'closed' | 'replayed' | 'broke' | 'leftOut'
    >
    readonly publish: PublishToTopic
    /** The same for those that read by HTTP, of whom the runtime knows nothing. */
    readonly publishToStreams: PublishToTopic
  }

/** How many times the soft limit a reader may be behind, where its log keeps less. */
const TAIL_TIMES = 8

/** Creates the parts of delivery, each after those that it uses. */
export function createDeliveryParts({ config, frames, publish, publishToStreams, ...deps }: DeliveryPartsDeps) {
  const { metrics } = deps
  const { sendBufferSoftLimit, fanoutBytes, sendBufferTotal } = config
  const buffers = createSendBuffers(sendBufferTotal)
  const tails = createTails({ logBytes: TAIL_TIMES * sendBufferSoftLimit, totalBytes: sendBufferTotal / 4 })
  const topics: Topics = {
    publish(topic, text) {
      const inTime = publish(topic, text)
      return publishToStreams(topic, text) && inTime
    },
    publishToOthers(except, topic, text) {
      const inTime = except.transport.publishToOthers(topic, text)
      return publishToStreams(topic, text) && inTime
    },
  }
  const fanOut = new FanOut({
    ...deps,
    ...topics,
    maxBytes: fanoutBytes,
    lateBytes: sendBufferSoftLimit * UNSEEN_SHARE,
  })
  const preludes = new Preludes({ ...deps, buffers, limits: newestLimits(config) })
  const sampling = new Sampling({
    ...deps,
    buffers,
    preludes,
    maxKeys: config.sampledKeys,
    maxBytes: config.sampledBytes,
  })
  const live = new LiveSubscriptions({ fanOut, sampling, preludes, metrics })
  const closing = new Closing({ ...deps, live })
  const catchUp = new CatchUp({
    ...deps,
    live,
    closing,
    buffers,
    preludes,
    sampling,
    tails: {
      after: tails.after,
      sweep() {
        if (fanOut.bytes === 0) tails.sweep()
      },
      get size() {
        return tails.size
      },
    },
    stuckMs: config.pingTimeoutMs,
    gapBefore: createGapBefore(frames, metrics),
  })
  const slowConsumers = new SlowConsumers({
    ...deps,
    live,
    closing,
    catchUp,
    buffers,
    sendBufferSoftLimit,
    keptBytes: tails.bytes,
  })
  preludes.onReady((client) => catchUp.drained(client))
  fanOut.onOverrun((subscriptions) => slowConsumers.overrun(subscriptions))
  const delivery = createDelivery({
    metrics,
    topics,
    fanOut,
    live,
    closing,
    catchUp,
    sampling,
    preludes,
    snapshotNotice: createSnapshotNotice(frames),
    // A log that does not reply at once is in an external store: it keeps messages for longer than any reader is
    // behind, and catch-up reads pages of it.
    keepForSlow: deps.isImmediate
      ? (...of) => {
          tails.keep(...of)
          catchUp.wake()
        }
      : undefined,
  })
  const broke = createGapNotices(frames, delivery, metrics, (log) => catchUp.broke(log))
  const redactTail = (log: Log, tombstone: Entry) => {
    tails.redact(log, tombstone)
    sampling.redact(tombstone.text)
    preludes.redact(tombstone.text)
  }
  const stop = () => {
    for (const part of [catchUp, sampling, preludes]) part.stop()
  }
  return { delivery, catchUp, live, buffers, sampling, slowConsumers, broke, stop, redactTail }
}

/** A few snapshots are held at a time: together they take no more than what is kept for sampled subscriptions. */
const newestLimits = (config: Pick<Config, 'snapshotMessages' | 'sampledKeys' | 'sampledBytes'>): NewestLimits => ({
  maxMessages: config.snapshotMessages,
  maxKeys: config.sampledKeys,
  maxBytes: config.sampledBytes / MOST_HELD,
})

/** Creates the notice behind the messages of a snapshot. */
const createSnapshotNotice =
  (frames: Pick<Frames, 'envelope'>) =>
  (address: Feed['address'], messages: number, isComplete: boolean): string => {
    const payload: Snapshot = { event: 'snapshot', messages, complete: isComplete }
    return frames.envelope('system', address, JSON.stringify(payload))
  }

/** What is kept for clients, and what waits for them, in bytes by kind (docs/guide/operations.md#memory). */
import { SUBSCRIPTION_BYTES } from '../config/index.ts'
import type { KeptKind } from '../observability/metric-labels.ts'
import type { Parts } from './parts.ts'

/** Creates the function that reads it. */
export function createKeptBytes({
  log,
  state,
  outbound,
}: Pick<Parts, 'log' | 'state' | 'outbound'>): () => Readonly<Record<KeptKind, number>> {
  return () => {
    const { bytes, inboxBytes, dedupBytes, queuedBytes } = log.usage()
    return {
      history: bytes,
      inboxes: inboxBytes,
      dedup: dedupBytes,
      metadata: state.rooms.budgets.metadata.used,
      sessions: state.sessions.bytes,
      subscriptions: SUBSCRIPTION_BYTES * outbound.subscriptions.count,
      queued: queuedBytes,
      send_buffers: outbound.buffers.bytes,
      fanout: outbound.delivery.waitingBytes(),
    }
  }
}

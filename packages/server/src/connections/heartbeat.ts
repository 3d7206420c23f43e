/** Heartbeat: pings, and ends what no longer answers (docs/protocol.md#heartbeat-and-shutdown). */

import type { Delivery } from '../delivery/deliver.ts'
import { createLiveness, type LivenessOptions } from '../delivery/liveness.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import type { Logger } from '../observability/logger.ts'
import type { Client } from '../state/model.ts'

/** What the heartbeat needs. */
type HeartbeatDeps = LivenessOptions & {
  readonly logger: Logger
  readonly clients: () => Iterable<Client>
  readonly delivery: Pick<Delivery, 'close'>
  readonly turns: Pick<FairQueue, 'run'>
}

/** Clients that are looked at in one turn of the loop: most looks are two comparisons, and some are a ping. */
const CLIENTS_PER_PIECE = 64

/**
 * Creates the heartbeat. A round with many clients takes several turns of the loop; the next round begins when it is
 * done.
 *
 * The runtime's own idle timeout never ends a dead peer that the server keeps sending to: what counts is what is heard.
 */
export function createHeartbeat({ logger, clients, delivery, turns, ...options }: HeartbeatDeps) {
  const liveness = createLiveness(options)
  let isUnderWay = false

  function* round(): Pieces<void> {
    let looked = 0
    liveness.beginRound()
    for (const client of clients()) {
      if (!client.isClosing && !liveness.look(client, client.seq)) {
        logger.info({ event: 'heartbeat_lost', client_id: client.id, code: 4408, address: client.address })
        delivery.close(client, 'heartbeat_lost')
      }
      if (++looked % CLIENTS_PER_PIECE === 0) yield
    }
    isUnderWay = false
  }

  return {
    /** How often `beat` is called. */
    everyMs: liveness.everyMs,
    /** Looks at all clients. */
    beat() {
      if (isUnderWay) return
      isUnderWay = true
      void turns.run(round)
    },
  }
}

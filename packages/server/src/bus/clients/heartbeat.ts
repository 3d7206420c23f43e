/** Heartbeat: pings, and ends what no longer answers (protocol §6). */
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import type { Client } from '../../state/model.ts'
import type { Delivery } from '../deliver/deliver.ts'

/** What it needs. */
export type HeartbeatDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly logger: Logger
  readonly clients: () => Iterable<Client>
  readonly delivery: Delivery
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/**
 * Makes the function that looks at everybody; it is called every second, and more often where the interval is shorter.
 *
 * The runtime's own idle timeout never ends a dead peer that the server keeps sending to: what counts is the last sign of life.
 */
export function createHeartbeat({
  clock,
  logger,
  clients,
  delivery,
  pingIntervalMs,
  pingTimeoutMs,
}: HeartbeatDeps): () => void {
  let beatAt = clock.monotonic()
  return () => {
    const now = clock.monotonic()
    const isBeat = now - beatAt >= pingIntervalMs
    if (isBeat) beatAt = now
    for (const client of clients()) {
      if (now - client.lastHeard > pingTimeoutMs) {
        logger.info({ event: 'heartbeat_lost', client_id: client.id, code: 4408 })
        delivery.close(client, 'heartbeat_lost')
      } else if (isBeat) client.transport.ping()
    }
  }
}

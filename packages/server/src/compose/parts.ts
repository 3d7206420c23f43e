/** The parts of a server that runs: what its gauges read, its timers look after, and its shutdown ends. */
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { HttpServer } from './http.ts'
import type { InboundPath, InboundPathParts } from './inbound-path.ts'
import type { Storage } from './storage.ts'
import type { TelemetryParts } from './telemetry-parts.ts'

/** The parts of a server that runs. */
export type Parts = Omit<InboundPathParts, 'telemetry' | 'awaitToken' | 'storeRevocation' | 'endSubscribers'> & {
  readonly storage: Storage
  readonly inbound: InboundPath
  readonly telemetry: TelemetryParts
  readonly http: HttpServer
  readonly webhooks: Webhooks
}

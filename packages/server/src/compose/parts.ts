/** The parts of a server that runs: what its gauges read, its timers look after, and its shutdown ends. */
import type { Persistence } from '../persistence/persistence.ts'
import type { BusLog } from '../publish/draft.ts'
import type { BusInfo } from './bus-info.ts'
import type { HttpServer } from './http.ts'
import type { InboundPath } from './inbound-path.ts'
import type { Outbound } from './outbound.ts'
import type { Ports } from './ports.ts'
import type { State } from './state.ts'
import type { Storage } from './storage.ts'
import type { TelemetryParts } from './telemetry-parts.ts'

/** The parts of a server that runs. */
export type Parts = {
  readonly log: BusLog
  readonly storage: Storage
  readonly state: State
  readonly outbound: Outbound
  readonly inbound: InboundPath
  readonly persistence: Persistence | undefined
  readonly telemetry: TelemetryParts
  readonly info: BusInfo
  readonly ports: Ports
  readonly http: HttpServer
}

/** The bus as a library: tests and tools start it in their own process. */

export { selfDeclared } from './auth/authenticate.ts'
export { type Config, testConfig, webhooksOf } from './config/index.ts'
export { API_BASE } from './http/api/endpoints.ts'
export { openapiDocument } from './http/api/openapi.ts'
export { consolePaths } from './http/console.ts'
export { healthReasons } from './http/health.ts'
export { routePaths } from './http/routes.ts'
export { systemClock } from './kit/clock.ts'
export type { Every } from './kit/timer.ts'
export { Account, Source } from './limits/accounts.ts'
export { SendBufferWatch } from './limits/send-buffer-watch.ts'
export type {
  AppendOutcome,
  Bounds,
  Draft,
  Entry,
  Located,
  Log,
  LogDriver,
  LogGap,
  LogListener,
  LogOptions,
  Page,
  ReadQuery,
} from './log/contract.ts'
export { createMemoryLog, type MemoryLogOptions } from './log/memory-log.ts'
export { createRedisLogStore } from './log/redis/redis-log-store.ts'
export { createRemoteLog } from './log/remote/remote-driver.ts'
export type { InboundState } from './receive/inbound.ts'
export { createRedisLink } from './redis/link.ts'
export { type RunningServer, type StartOptions, startServer } from './server.ts'
export type { BusHandler } from './sockets/bus-handler.ts'
export type { Transport } from './state/transport.ts'
export { postBatch } from './webhooks/post-batch.ts'

/** The bus as a library: tests and tools start it in their own process. */
export { createIntake, type Intake } from './bus/receive/receive.ts'
export { type Config, testConfig } from './config/index.ts'
export { API_BASE } from './http/api/endpoints.ts'
export { openapiDocument } from './http/api/openapi.ts'
export { consolePaths } from './http/console.ts'
export { routePaths } from './http/routes.ts'
export type { Every } from './kit/timer.ts'
export type {
  Bounds,
  Break,
  Draft,
  Entry,
  Located,
  Log,
  LogDriver,
  LogListener,
  LogOptions,
  Page,
  ReadQuery,
} from './log/contract.ts'
export { createMemoryLog, type MemoryLogOptions } from './log/memory.ts'
export { createRedisLog } from './log/redis/driver.ts'
export { createRedisLink } from './redis/link.ts'
export { type RunningServer, type StartOptions, startServer } from './server.ts'
export type { BusDoor, BusDoorDeps, BusDoorOptions, openBusDoor } from './sockets/bus-door.ts'
export type { Transport } from './state/transport.ts'

import { apiPublish } from './api-publish.ts'
import { commands } from './commands.ts'
import { connections5000, connections19000 } from './connections.ts'
import { openConsole } from './console.ts'
import { fanouts } from './fanout.ts'
import { hotPath } from './hot-path.ts'
import { http } from './http.ts'
import { idle, idleChannels, idleConnections } from './idle.ts'
import { memoryLog } from './memory-log.ts'
import { redisCpu, redisDisk, redisStored } from './redis-publish.ts'
import { redisRecovery } from './redis-recovery.ts'
import type { Scenario } from './scenario.ts'
import { slowReader } from './slow-reader.ts'
import { stoppedReaders } from './stopped-readers.ts'
import { telemetryFanout, telemetryListeners, telemetryRooms } from './telemetry.ts'
import { tokens } from './tokens.ts'
import { worstCase } from './worst-case.ts'

/** All loads, in the order in which they run and are printed. */
export const scenarios: readonly Scenario[] = [
  hotPath,
  ...fanouts,
  ...tokens,
  connections5000,
  connections19000,
  commands,
  memoryLog,
  idle,
  idleChannels,
  idleConnections,
  http,
  apiPublish,
  slowReader,
  stoppedReaders,
  telemetryFanout,
  telemetryListeners,
  telemetryRooms,
  openConsole,
  worstCase,
  redisStored,
  redisDisk,
  redisCpu,
  redisRecovery,
]

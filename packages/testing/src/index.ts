/** The test harness: a bus, clients, Redis and other programs, clocks, randomness, and the checker of promises. */

export { type Authority, type CertificateOptions, createAuthority, type IssuedCertificate } from './authority.ts'
export { startBus, type TestBus } from './bus.ts'
export { type Acknowledged, type CheckOptions, check, type Seen, type Violation, violationsText } from './checker.ts'
export { chromiumFlags } from './chromium.ts'
export {
  type Closed,
  type ConnectOptions,
  connect,
  type Frame,
  isMessage,
  open,
  type Publish,
  RefusedError,
  refusal,
  type TestClient,
  textOf,
} from './client.ts'
export { type TestClock, testClock } from './clock.ts'
export { eventually } from './eventually.ts'
export { createFakeClock, type FakeClock } from './fake-clock.ts'
export { readMetric } from './metrics.ts'
export { executableNames, findProgram, type ProgramName, programNames, type Skip, withProgram } from './programs.ts'
export { createRandom, type Random } from './random.ts'
export { encodeFrame, type FrameKind, type RawFrame, type ServerFrame } from './raw-frame.ts'
export {
  dial,
  openRaw,
  type RawEnd,
  type RawHead,
  type RawSocket,
  type UpgradeHead,
  upgradeRequest,
} from './raw-socket.ts'
export { type RedisOptions, startRedis, type TestRedis } from './redis.ts'
export { openRedisLog, type RedisLogUnderTest } from './redis-log.ts'
export { redisPerTest } from './redis-per-test.ts'
export { type SimulationOptions, type SimulationResult, simulate } from './simulation/simulate.ts'
export { createSlowLog, type Failure, type SlowLog, type SlowLogWaiting } from './slow-log.ts'
export {
  announced,
  draftOf,
  isAppended,
  type Keeps,
  type LogSettings,
  type LogUnderTest,
  logSuite,
  type StoreHand,
  watchLog,
} from './suites/log/index.ts'
export * from './worst/index.ts'

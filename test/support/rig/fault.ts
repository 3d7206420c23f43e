/** What a fault is, and what it has at hand. */
import type { Acknowledged, FakeClock, Random, RedisOptions, TestRedis } from '@arqonbus/testing'
import type { BusProcess } from '../bus-process.ts'
import type { TcpProxy } from '../tcp-proxy.ts'
import type { Level, Record } from './record.ts'

/** A fault, and what is promised in spite of it. */
export type Fault = {
  /** A sentence: what is promised. */
  readonly name: string
  /** The level that publishers ask for. */
  readonly level: Level
  /** How Redis is started; false: the bus keeps its log in memory. */
  readonly redis?: RedisOptions | false
  /** Settings of the bus. */
  readonly settings?: Readonly<globalThis.Record<string, string>>
  /** True where the bus has a clock that can be stepped; needs the program `faketime`. */
  readonly fakeClock?: boolean
  /** How many buses serve the same channels; half of the clients go to the second. Default 1. */
  readonly nodes?: 1 | 2
  /** Subscribers more than the usual ones. */
  readonly crowd?: (isLong: boolean) => number
  /** True where messages also go to channels and rooms that are new. */
  readonly births?: boolean
  /** True where private messages are sent too. */
  readonly mail?: boolean
  /** What acknowledgements are worth after it; all of them unless told. */
  readonly isKept?: (acknowledgement: Acknowledged, run: Running) => boolean
  /** True where subscribers may have to be told that they missed something. Otherwise they must miss nothing. */
  readonly mayBreak?: boolean
  /** True where the history must begin with the first kept acknowledgement. Default: true unless `mayBreak`, because a log that was lost begins anew. */
  readonly isWhole?: boolean
  /** True where it touches no client: commands are then answered as ever. */
  readonly isIsolated?: boolean
  /** What has to be there before it; what it takes is not counted as a leak. */
  readonly prepare?: (run: Running) => Promise<unknown>
  /** Does it. Resolves at the end of the fault. */
  readonly inject: (run: Running) => Promise<unknown>
  /** What must have been seen for the run to have tried anything: names of `counts`. */
  readonly mustSee?: readonly string[]
  /** What must not have been seen. */
  readonly mustNotSee?: readonly string[]
  /** What else is promised: throws where it is not kept. */
  readonly verify?: (run: Running) => Promise<void> | void
}

/** What a fault has at hand. */
export type Running = {
  readonly seed: number
  readonly random: Random
  readonly record: Record
  readonly redis: TestRedis
  /** The way from the bus to Redis. */
  readonly redisLine: TcpProxy
  /** The way from the clients to the bus, that of the second half of them, and that of the crowd. */
  readonly busLine: TcpProxy
  readonly otherLine: TcpProxy
  readonly crowdLine: TcpProxy
  /** Its clock, where `fakeClock` asked for one. */
  readonly busClock: FakeClock
  /** True for a run of a minute, which has the time for long faults. */
  readonly isLong: boolean
  /** True where every bus of the beginning is still there. */
  readonly isUnbroken: boolean
  /** The bus that clients are led to. */
  readonly bus: BusProcess
  readonly addresses: readonly string[]
  /** Waits for so many acknowledgements more. */
  acknowledged(more: number): Promise<void>
  /** Starts another bus on the same Redis and leads clients to it; the one before is as it was. */
  startBus(): Promise<BusProcess>
  /** Starts another Redis, which ends with the run. */
  startRedis(options: RedisOptions): Promise<TestRedis>
  /** From now on the way to Redis leads to that one. */
  redisLeadsTo(other: TestRedis): void
  /** Waits until so many more of `what` were counted. */
  counted(what: string, more?: number): Promise<void>
  /** Whether an acknowledgement came while a fault was on, or right before, so that what holds without a fault may not hold for it. */
  isDuringFault(acknowledgement: Acknowledged, beforeMs: number): boolean
}

/** The definition of a fault, and its environment. */
import type { Acknowledged, FakeClock, Random, RedisOptions, TestRedis } from '@arqonbus/testing'
import type { BusProcess } from '../bus-process.ts'
import type { TcpProxy } from '../tcp-proxy.ts'
import type { Level, Record } from './record.ts'

/** A fault, and the promises that must hold despite it. */
export type Fault = {
  /** The promise, as a sentence. */
  readonly name: string
  /** The level that publishers require. */
  readonly level: Level
  /** Options of Redis; false: the bus keeps its log in memory. */
  readonly redis?: RedisOptions | false
  /** Settings of the bus. */
  readonly settings?: Readonly<globalThis.Record<string, string>>
  /** Whether the clock of the bus can be stepped; needs the program `faketime`. */
  readonly fakeClock?: boolean
  /** The number of buses with the same channels; half of the clients use the second one. Default 1. */
  readonly nodes?: 1 | 2
  /** The number of additional subscribers. */
  readonly extraSubscribers?: (isLong: boolean) => number
  /** Whether messages are also sent to new channels and rooms. */
  readonly newChannels?: boolean
  /** Whether private messages are sent too. */
  readonly mail?: boolean
  /** Whether an acknowledged message must survive the fault. Default: always. */
  readonly isKept?: (acknowledgement: Acknowledged, run: Running) => boolean
  /** Whether subscribers may be notified of missed messages. Otherwise they must miss nothing. */
  readonly mayBreak?: boolean
  /**
   * Whether the history must begin with the first kept acknowledgement. Default: true unless `mayBreak`, because a lost
   * log starts again.
   */
  readonly isWhole?: boolean
  /** Whether it affects no client: commands must then be answered as usual. */
  readonly isIsolated?: boolean
  /** Prepares the fault; the resources that this uses do not count as a leak. */
  readonly prepare?: (run: Running) => Promise<unknown>
  /** Injects the fault. Resolves at its end. */
  readonly inject: (run: Running) => Promise<unknown>
  /** Counts that must not be zero, to prove that the run tested something: names of `counts`. */
  readonly mustSee?: readonly string[]
  /** Counts that must be zero. */
  readonly mustNotSee?: readonly string[]
  /** Checks further promises: throws if one was not kept. */
  readonly verify?: (run: Running) => Promise<void> | void
}

/** The environment of a fault. */
export type Running = {
  readonly seed: number
  readonly random: Random
  readonly record: Record
  readonly redis: TestRedis
  /** The proxy from the bus to Redis. */
  readonly redisProxy: TcpProxy
  /**
   * The proxies from the clients to the bus, for the first half of them, the second half, and the additional
   * subscribers.
   */
  readonly busProxy: TcpProxy
  readonly otherProxy: TcpProxy
  readonly extraProxy: TcpProxy
  /** The clock of the bus, with `fakeClock`. */
  readonly busClock: FakeClock
  /** True for a run of a minute, which has time for long faults. */
  readonly isLong: boolean
  /** True if every bus of the beginning still runs. */
  readonly isUnbroken: boolean
  /** The bus that the proxy leads to. */
  readonly bus: BusProcess
  readonly addresses: readonly string[]
  /** Waits for `more` further acknowledgements. */
  acknowledged(more: number): Promise<void>
  /** Starts another bus on the same Redis and leads clients to it; the previous one keeps running. */
  startBus(): Promise<BusProcess>
  /** Starts another Redis, which ends with the run. */
  startRedis(options: RedisOptions): Promise<TestRedis>
  /** Leads the bus to that Redis from now on. */
  redisLeadsTo(other: TestRedis): void
  /** Waits until `what` was counted `more` further times. */
  counted(what: string, more?: number): Promise<void>
  /**
   * Whether an acknowledgement arrived during a fault, or right before, so that guarantees without a fault may not
   * apply to it.
   */
  isDuringFault(acknowledgement: Acknowledged, beforeMs: number): boolean
}

/** A driver of logs as the suite gets it: with a way to wait for it, and a hand on what it keeps messages in. */
import type { Draft, LogDriver, MemoryLogOptions } from '@arqonbus/server'

/** What a driver is made with. */
export type LogSettings = MemoryLogOptions

/** A driver under test. */
export type LogUnderTest = {
  readonly driver: LogDriver<string, Draft>
  /** Ends when everything that was appended has its outcome, and every log that was opened is known. */
  settle(): Promise<void>
  /** A hand on the store, where there is one. */
  readonly store?: StoreHand
  /** Ends the driver, and what was made for it. */
  end?(): void
}

/**
 * Where messages are kept: on the node, which then counts and bounds their bytes and what it remembers of them, and
 * whose logs end when they are closed; or in a store, which bounds them for itself, outlives the node, and may go away.
 */
export type Keeps = 'node' | 'store'

/** What a test does to a store. */
export type StoreHand = {
  /** It goes away; ends when the driver knows. What is on its way then never gets there. */
  leave(): Promise<void>
  /** From now on it takes everything and answers nothing, until it goes away. */
  stall(): void
  /** It is there again; ends when the driver uses it. */
  comeBack(): Promise<void>
  /** It forgets everything. */
  forget(): Promise<void>
  /** Another node with the same store. */
  neighbour(): Promise<LogUnderTest>
}

/** Makes a driver with these settings and nothing in it. */
export type Make = (settings: LogSettings) => LogUnderTest | Promise<LogUnderTest>

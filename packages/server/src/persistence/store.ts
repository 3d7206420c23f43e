/**
 * The contract of a store: what outlives the process beside messages. Rooms and channels, which are here too, and
 * sessions.
 *
 * A store holds records under names, as text. It keeps no log of changes: a write has the whole state of a record, so
 * that it may be repeated.
 */
import type { RecordPlace } from '../redis/keys.ts'

/** What a record is of. A room has its name as key, a channel its address, a session its client id. */
export type Kind = 'room' | 'channel' | 'session'

/** What a record is now. */
export type Change = {
  readonly kind: Kind
  readonly name: string
  /** Undefined if the record is to be removed. */
  readonly text: string | undefined
  /** True where a record that is there stays as it is. */
  readonly isOnlyIfAbsent?: boolean
  /** For a session; without text all sessions of the client have ended. */
  readonly session?: SessionChange
}

/** What is particular to the record of a session. */
export type SessionChange = {
  /** Distinguishes the sessions of one client. */
  readonly key: string
  /** When it expires, with its record. */
  readonly until: number
  /** True where every other session of the client has ended with the beginning of this one. */
  readonly isAlone: boolean
}

/** Records as they are read: names, or addresses, with their texts. */
export type Records = readonly (readonly [name: string, text: string])[]

/** What a store has, as it is read when it comes. */
export type Stored = {
  /**
   * Counts the changes of rooms and channels that came from elsewhere: as long as it stays the same, this process knows
   * all of them.
   */
  changesElsewhere(): Promise<number>
  /** All rooms, in pages; one that changes meanwhile may come twice. */
  rooms(): AsyncIterable<Records>
  /** The channels of these rooms, likewise. */
  channels(rooms: readonly string[]): AsyncIterable<Records>
  /** The records of a room, and of one of its channels. */
  place(room: string, channel: string | undefined): Promise<{ room: string | undefined; channel: string | undefined }>
  /** The sessions that end last, at most so many, the first to end first. */
  sessions(most: number): Promise<readonly string[]>
}

/** What uses a store. */
export type RecordStoreUser = {
  /**
   * The store is there, for the first time or again. It is not written to before this has ended, but where it is the
   * process that it was before and this is not the first time: that has lost nothing, and is compared while it is used.
   */
  compare(stored: Stored): Promise<void>
  /**
   * The store that was there before is back. What has changed meanwhile is not written before this has ended: another
   * server may have written under the same names.
   */
  check(stored: Stored): Promise<void>
  /** From now on it can be written to. */
  ready(): void
  /** From now on it cannot. */
  away(): void
  /**
   * Writes at once what these logs belong to, where that is not stored yet; gives it by log, or undefined where all of
   * it is stored.
   */
  ahead(logs: Iterable<string>): ReadonlyMap<string, readonly Change[]> | undefined
}

/** A store. Whatever is asked of it fails where it is away, or does not answer. */
export type Store = Pick<Stored, 'place' | 'changesElsewhere'> & {
  readonly isAway: boolean
  /** Called once, before the store is there. */
  use(user: RecordStoreUser): void
  /**
   * Resolves to what it refused. Where it fails, some may be written. What is written is stored before anything that
   * the log sends to the same store later.
   */
  write(changes: readonly Change[]): Promise<readonly Change[]>
  /**
   * Before messages go to these logs: writes at once what they would not be found without, and is not known to be
   * stored. Gives where that is, by log: what is not there when the messages arrive has been refused, and so are they.
   * Undefined where all of it is stored.
   */
  ahead(logs: Iterable<string>): ReadonlyMap<string, readonly RecordPlace[]> | undefined
  /** The record of a session of a client; undefined if there is none. */
  session(clientId: string, key: string): Promise<string | undefined>
  /** The channels of a room, in pages. */
  channels(room: string): AsyncIterable<Records>
}

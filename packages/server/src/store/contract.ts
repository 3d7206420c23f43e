/**
 * The contract of a store: what outlives the process beside messages. Rooms and channels, which are here too, and sessions.
 *
 * A store holds records under names, as text. It keeps no log of changes: whoever writes says what a record is now, so that all of it may be written again.
 */
import type { ChannelOptions, ClientType } from '@arqonbus/protocol'

/** A room as it is kept. Those of the configuration are not. */
export type RoomRecord = {
  readonly name: string
  readonly type: 'user' | 'dynamic'
  readonly state: 'active' | 'paused'
  readonly createdAt: number
  readonly createdBy: string | undefined
  readonly config: Readonly<Record<string, unknown>> | undefined
}

/** A channel as it is kept. */
export type ChannelRecord = {
  readonly room: string
  readonly name: string
  readonly type: 'general' | 'private'
  readonly createdAt: number
  readonly createdBy: string | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly options: Readonly<ChannelOptions> | undefined
  readonly autoCreated: boolean
}

/** A session as it is kept: whoever reads the store does not learn the secret. */
export type SessionRecord = {
  readonly clientId: string
  /** Of the secret, in base64url. */
  readonly secretHash: string
  readonly profile: {
    readonly clientType: ClientType
    readonly screenName?: string
    readonly avatar?: string
    readonly personality?: string
  }
  readonly subscriptions: readonly string[]
  /** When it ends, if nobody comes back: wall time, for it is read by other processes. */
  readonly until: number
}

/** What a record is of. A room goes by its name, a channel by its address, a session by its client id. */
export type Kind = 'room' | 'channel' | 'session'

/** What a record is now. */
export type Change = {
  readonly kind: Kind
  readonly name: string
  /** Undefined where there is none any more. */
  readonly text: string | undefined
  /** When a session ends: its record goes by itself. */
  readonly until?: number
}

/** What a store has, as it is read when it comes. */
export type Stored = {
  /** All of a kind, in pages; one that changes meanwhile may come twice. */
  all(kind: 'room' | 'channel'): AsyncIterable<readonly (readonly [name: string, text: string])[]>
  /** The sessions that end last, at most so many, the first to end first. */
  sessions(most: number): Promise<readonly string[]>
}

/** Who uses a store. */
export type StoreUser = {
  /** The store is there, for the first time or again, and is not written to before this has ended. */
  compare(stored: Stored): Promise<void>
  /** From now on it can be written to. */
  ready(): void
  /** From now on it cannot. */
  away(): void
}

/** A store. */
export type Store = {
  readonly isAway: boolean
  /** Called once, before the store is there. */
  use(user: StoreUser): void
  /** Fails where the store is away, or does not answer, or refuses: some of it may be written. */
  write(changes: readonly Change[]): Promise<void>
  /** The record of a session; undefined where there is none, or the store cannot say. */
  session(clientId: string): Promise<string | undefined>
}

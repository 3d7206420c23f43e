/** Rooms, channels and sessions as they are kept, beside messages, while no process has them. */
import type { Channel, Profile, Room, SubscriptionOptions } from './model.ts'

/** A room as it is kept. Those of the configuration are not. */
export type RoomRecord = Readonly<Pick<Room, 'name' | 'state' | 'createdAt' | 'createdBy' | 'holder' | 'config'>> & {
  readonly type: 'user' | 'dynamic'
}

/** A channel as it is kept. */
export type ChannelRecord = Pick<
  Channel,
  'name' | 'createdAt' | 'createdBy' | 'holder' | 'metadata' | 'options' | 'autoCreated'
> & { readonly room: string; readonly type: 'general' | 'private' }

/** A session as it is stored: a reader of the store does not learn the secret. */
export type SessionRecord = {
  readonly clientId: string
  /** Hash of the secret, in base64url. */
  readonly secretHash: string
  readonly profile: Readonly<Profile>
  /** The subjects of its token; absent where there was none. */
  readonly subjects?: readonly string[]
  readonly subscriptions: readonly string[]
  /** Those of them that are private channels; absent where none is. */
  readonly private?: readonly string[]
  /** Their options, by address; absent where none has any. */
  readonly options?: Readonly<Record<string, SubscriptionOptions>>
  /** When it expires if its client does not return: wall time, because other processes read it. */
  readonly until: number
}

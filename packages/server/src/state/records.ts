/** Rooms, channels and sessions as they are kept, beside messages, while no process has them. */
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

/** A session as it is stored: a reader of the store does not learn the secret. */
export type SessionRecord = {
  readonly clientId: string
  /** Hash of the secret, in base64url. */
  readonly secretHash: string
  readonly profile: {
    readonly clientType: ClientType
    readonly screenName?: string
    readonly avatar?: string
    readonly personality?: string
  }
  readonly subscriptions: readonly string[]
  /** Those of them that are private channels; absent where none is. */
  readonly private?: readonly string[]
  /** When it expires if its client does not return: wall time, because other processes read it. */
  readonly until: number
}

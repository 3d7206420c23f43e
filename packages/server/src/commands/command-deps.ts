/** What commands need: each takes the few of these that it names. */
import type { CommandResult, DurabilityLevel } from '@arqonbus/protocol'
import type { CreationPolicy } from '../auth/access.ts'
import type { Announcer, Directory } from '../cluster/cluster.ts'
import type { Config } from '../config/index.ts'
import type { Renew } from '../connections/renew.ts'
import type { Revoke } from '../connections/revoke.ts'
import type { EndNotices } from '../delivery/end-notices.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { RawJson } from '../kit/raw-json.ts'
import type { RateOf } from '../limits/command-rate.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { Presence } from '../presence/presence.ts'
import type { OwnInbox } from '../publish/inbox.ts'
import type { Clients } from '../state/clients.ts'
import type { Channel } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Traffic } from '../state/traffic.ts'
import type { Join } from '../subscriptions/join.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'

/** Parts of `status` that are computed once a second, as JSON, and their length. */
export type StatusFigures = Readonly<Record<'attention' | 'limits' | 'refusals', RawJson>> & { readonly bytes: number }

/** What the history of a channel keeps at most. */
export type Retention = Pick<Config, 'historySize' | 'historyTtlMs'>

/** What all commands together need. */
export type CommandDeps = {
  readonly rooms: Rooms
  readonly resolver: RoomResolver
  readonly directory: Directory
  readonly announcer: Announcer
  readonly subscriptions: Subscriptions
  readonly sessions: Sessions
  readonly clients: Pick<Clients, 'get'>
  readonly presence: Presence
  readonly join: Join
  readonly inboxOf: OwnInbox
  readonly endings: EndNotices
  readonly renew: Renew
  readonly revokeTokens: Revoke
  readonly creation: CreationPolicy
  /** Called for a channel that a command has created. */
  readonly created: (channel: Channel) => void
  /** Where rooms and channels are kept over restarts; undefined where they are not. */
  readonly persistence: Persistence | undefined
  readonly clock: Clock
  readonly turns: FairQueue
  /** The best level that the log can give. */
  readonly durability: () => DurabilityLevel
  readonly rateOf: RateOf
  /** Bytes of `metadata`, and of `room_config`, as JSON. */
  readonly maxMetadataBytes: number
  readonly retention: Retention
  /** Maximum bytes of the lists, or of the messages, in one reply. */
  readonly maxListBytes: number
  /** What the server knows of itself. */
  readonly server: () => CommandResult<'status'>['server']
  readonly storage: () => CommandResult<'status'>['storage']
  readonly figures: () => StatusFigures
  readonly traffic: Pick<Traffic, 'rateOf' | 'busiestChannels' | 'busiestClients' | 'longestQueues'>
  readonly connections: () => number
  /** Reads the settings again; fails with `reload_failed`. */
  readonly reload: { run(): Promise<CommandResult<'reload'>> }
}

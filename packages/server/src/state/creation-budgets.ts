/**
 * How many rooms and channels there may be, and how many bytes of metadata: in total, of one client or subject, and of
 * one address (docs/protocol.md#budgets).
 */
import { CodedError, type ErrorCode } from '@arqonbus/protocol'
import type { RawJson } from '../kit/raw-json.ts'
import type { Account, Source } from '../limits/accounts.ts'
import { Budget } from '../limits/budget.ts'
import type { Usage } from '../limits/usage.ts'
import type { IdleChannels } from './idle.ts'
import type { Channel, Room } from './model.ts'

/** The limits of what is created. */
export type CreationLimits = {
  readonly maxRooms: number
  readonly maxRoomsPerClient: number
  readonly maxRoomsPerAddress: number
  readonly maxChannels: number
  readonly maxChannelsPerClient: number
  readonly maxChannelsPerAddress: number
  readonly metadataBytes: number
}

/** A number that a client or an address has reached. */
type Reached = { readonly limit: number; readonly setting: string; readonly yours: number }

/** What one member of a private channel takes beside the text of the metadata. */
const MEMBER_BYTES = 64

/** So many accounts, and so many sources, are searched for something to evict. */
const MOST_SEARCHED = 32

/** How many there are, and whether the new one existed before: then it is not refused to its account. */
type NewOne = { readonly count: number; readonly isStored: boolean }

/** Who created what. */
export class CreationBudgets {
  readonly rooms: Budget
  readonly channels: Budget
  readonly metadata: Budget
  readonly #limits: CreationLimits
  /** Knows the longest idle channel of each account. */
  readonly #idle: IdleChannels

  constructor(limits: CreationLimits, idle: IdleChannels) {
    this.#limits = limits
    this.#idle = idle
    this.rooms = new Budget(limits.maxRooms)
    this.channels = new Budget(limits.maxChannels)
    this.metadata = new Budget(limits.metadataBytes)
  }

  /** A room was created, or is gone. */
  countRoom({ account, config }: Room, by: 1 | -1): void {
    if (account === undefined) return
    change(this.rooms.of(account), by)
    this.#countMetadata(account, by * bytesOf(config))
  }

  /** A channel was created, or is gone. */
  countChannel({ account, metadata, members }: Channel, by: 1 | -1): void {
    if (account === undefined) return
    change(this.channels.of(account), by)
    this.#countMetadata(account, by * bytesOf(metadata, members?.size))
  }

  #countMetadata(account: Account, bytes: number): void {
    if (bytes !== 0) change(this.metadata.of(account), bytes)
  }

  /** Throws `quota_exceeded` where so much metadata is more than an account may keep. */
  checkMetadata(account: Account, texts: readonly (RawJson | undefined)[]): void {
    const bytes = texts.reduce((sum, text) => sum + bytesOf(text), 0)
    if (bytes === 0 || this.metadata.admits(account, bytes)) return
    const details = { limit: 'metadata_bytes', setting: 'ARQONBUS_METADATA_BYTES', bytes: this.metadata.max }
    throw new CodedError('quota_exceeded', { ...details, yours: this.metadata.of(account).amount })
  }

  /**
   * The idle channel that goes for a new one: undefined where no limit is reached, and `too_many_channels` where there is
   * none.
   */
  channelToEvict(account: Account | undefined, { count, isStored }: NewOne): Channel | undefined {
    const { maxChannels, maxChannelsPerClient, maxChannelsPerAddress } = this.#limits
    const own = account === undefined || isStored ? undefined : this.channels.of(account)
    const most = own && reached(own, 'CHANNELS', maxChannelsPerClient, maxChannelsPerAddress)
    if (most === undefined && count < maxChannels) return undefined
    let retryAfterMs: number | undefined
    const idleOf = (one: Account) => {
      const longest = this.#idle.longest(one)
      if (!('retryAfterMs' in longest)) return longest
      retryAfterMs = Math.min(retryAfterMs ?? longest.retryAfterMs, longest.retryAfterMs)
      return undefined
    }
    const found = account && (most === undefined ? findToEvict(this.channels, account, idleOf) : idleOf(account))
    if (found !== undefined) return found
    const waitMs = retryAfterMs ?? this.#idle.leastMs
    throw most === undefined
      ? new CodedError('too_many_channels', { limit: maxChannels }, waitMs)
      : tooMany('too_many_channels', 'channels', most, waitMs)
  }

  /**
   * The idle channel with which a room goes for a new one: undefined where no limit is reached, and `too_many_rooms`
   * where there is none.
   */
  onlyChannelToEvict(account: Account | undefined, { count, isStored }: NewOne): Channel | undefined {
    const { maxRooms, maxRoomsPerClient, maxRoomsPerAddress } = this.#limits
    const own = account === undefined || isStored ? undefined : this.rooms.of(account)
    const most = own && reached(own, 'ROOMS', maxRoomsPerClient, maxRoomsPerAddress)
    if (most !== undefined) throw tooMany('too_many_rooms', 'rooms', most)
    if (count < maxRooms) return undefined
    const found = account && findToEvict(this.rooms, account, (one) => this.#onlyIdleOf(one))
    if (found === undefined) throw new CodedError('too_many_rooms', { limit: maxRooms })
    return found
  }

  /** The longest idle channel of an account, where its room goes with it. */
  #onlyIdleOf(account: Account): Channel | undefined {
    const longest = this.#idle.longest(account)
    if ('retryAfterMs' in longest) return undefined
    const { type, state, channels, broadcastSubscriptions, broadcast } = longest.room
    const isUnused = channels.size === 1 && broadcastSubscriptions.size === 0 && broadcast?.isEmpty() === true
    return isUnused && type === 'dynamic' && state === 'active' ? longest : undefined
  }
}

const change = (usage: Usage<Account>, by: number): void => (by > 0 ? usage.add(by) : usage.remove(-by))

/** Bytes of what is kept of the metadata of a channel, or of the configuration of a room. */
const bytesOf = (text: RawJson | undefined, members = 0): number =>
  (text === undefined ? 0 : Buffer.byteLength(text.text)) + MEMBER_BYTES * members

/** The refusal of one room or channel too many of a client or an address. */
function tooMany(code: ErrorCode, what: 'rooms' | 'channels', reached: Reached, retryAfterMs?: number) {
  const who = reached.setting.endsWith('_PER_CLIENT') ? 'This client' : 'The clients of this address'
  const verb = reached.setting.endsWith('_PER_CLIENT') ? 'has' : 'have'
  return new CodedError(code, reached, retryAfterMs, `${who} ${verb} as many ${what} as allowed: delete one first.`)
}

/**
 * Finds something to evict for an account: what it has itself, or what an account has that has more, that which has
 * most first. `find` returns it for one account, or undefined where nothing of that may be evicted.
 */
function findToEvict<Found>(
  budget: Budget,
  account: Account,
  find: (account: Account) => Found | undefined,
): Found | undefined {
  const own = budget.of(account)
  const ownSource = own.parent!
  return budget.total.first(MOST_SEARCHED, (source) => {
    if (source !== ownSource && source.amount <= ownSource.amount) return undefined
    return source.first(MOST_SEARCHED, (usage) => {
      const isCandidate = source !== ownSource || usage === own || usage.amount > own.amount
      return isCandidate ? find(usage.owner as Account) : undefined
    })
  })
}

function reached(
  own: Usage<Account>,
  what: 'ROOMS' | 'CHANNELS',
  perClient: number,
  perAddress: number,
): Reached | undefined {
  const setting = (per: string) => `ARQONBUS_MAX_${what}_PER_${per}`
  if (own.amount >= perClient) return { limit: perClient, setting: setting('CLIENT'), yours: own.amount }
  const source = own.parent as Usage<Source>
  if (source.amount < perAddress) return undefined
  return { limit: perAddress, setting: setting('ADDRESS'), yours: source.amount }
}

/**
 * How many rooms and channels there may be, and how many bytes of metadata: in total, of one client or subject, and of
 * one address (docs/protocol.md#budgets).
 */
import { CodedError, type ErrorCode } from '@arqonbus/protocol'
import type { RawJson } from '../kit/raw-json.ts'
import type { Account, Source } from '../limits/accounts.ts'
import { Budget } from '../limits/budget.ts'
import type { Usage } from '../limits/usage.ts'

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

/** Who created what. */
export class CreationBudgets {
  readonly rooms: Budget
  readonly channels: Budget
  readonly metadata: Budget
  readonly #limits: CreationLimits

  constructor(limits: CreationLimits) {
    this.#limits = limits
    this.rooms = new Budget(limits.maxRooms)
    this.channels = new Budget(limits.maxChannels)
    this.metadata = new Budget(limits.metadataBytes)
  }

  /** What an account cannot have more rooms than; undefined where it may have another. */
  roomsReached(account: Account): Reached | undefined {
    const { maxRoomsPerClient, maxRoomsPerAddress } = this.#limits
    return reached(this.rooms.of(account), 'ROOMS', maxRoomsPerClient, maxRoomsPerAddress)
  }

  /** What an account cannot have more channels than; undefined where it may have another. */
  channelsReached(account: Account): Reached | undefined {
    const { maxChannelsPerClient, maxChannelsPerAddress } = this.#limits
    return reached(this.channels.of(account), 'CHANNELS', maxChannelsPerClient, maxChannelsPerAddress)
  }

  /** Throws `quota_exceeded` where so much metadata is more than an account may keep. */
  checkMetadata(account: Account, texts: readonly (RawJson | undefined)[]): void {
    const bytes = texts.reduce((sum, text) => sum + bytesOf(text), 0)
    if (bytes === 0 || this.metadata.admits(account, bytes)) return
    const details = { limit: 'metadata_bytes', setting: 'ARQONBUS_METADATA_BYTES', bytes: this.metadata.max }
    throw new CodedError('quota_exceeded', { ...details, yours: this.metadata.of(account).amount })
  }
}

/** Bytes of what is kept of the metadata of a channel, or of the configuration of a room. */
export const bytesOf = (text: RawJson | undefined, members = 0): number =>
  (text === undefined ? 0 : Buffer.byteLength(text.text)) + MEMBER_BYTES * members

/** The refusal of one room or channel too many of a client or an address. */
export function tooMany(code: ErrorCode, what: 'rooms' | 'channels', reached: Reached, retryAfterMs?: number) {
  const who = reached.setting.endsWith('_PER_CLIENT') ? 'This client' : 'The clients of this address'
  const verb = reached.setting.endsWith('_PER_CLIENT') ? 'has' : 'have'
  return new CodedError(code, reached, retryAfterMs, `${who} ${verb} as many ${what} as allowed: delete one first.`)
}

/**
 * Finds something to evict for an account: what it has itself, or what an account has that has more, that which has
 * most first. `find` returns it for one account, or undefined where nothing of that may be evicted.
 */
export function findToEvict<Found>(
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

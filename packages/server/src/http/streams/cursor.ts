/**
 * The event ids of a stream of several channels: what its reader has of each of them, in one text. A browser sends the
 * last one back when it reconnects, and so continues in all channels.
 *
 * An id is a digest of the channels, and for each of them, in the order of their addresses, the last position in base
 * 36; `0` for a channel that did not exist; and nothing for one that was not joined yet: `Zb3xQ1~lq2z8k0w.1~0~`. With
 * the names themselves it would not fit into a header.
 */
import { createHash } from 'node:crypto'
import { parsePosition } from '@arqonbus/protocol'

const DIGEST_LENGTH = 6
/** The slot of a channel that did not exist: all of it is new. */
const AWAITED = '0'

/** What a reader has of a channel: a position, nothing since it did not exist, or nothing that is known. */
type Had = { readonly since: string | undefined; readonly isAwaited: boolean }

/** What the reader of a stream has of each of its channels. */
export class Cursor {
  readonly #digest: string
  /** By address, in the order of the addresses. */
  readonly #slots: Map<string, string>

  constructor(addresses: readonly string[]) {
    const sorted = addresses.toSorted()
    this.#digest = createHash('sha256').update(sorted.join()).digest('base64url').slice(0, DIGEST_LENGTH)
    this.#slots = new Map(sorted.map((address) => [address, '']))
  }

  /** Continues from an id; false, and nothing changes, if it is not the id of a stream of the same channels. */
  read(id: string): boolean {
    const [digest, ...slots] = id.split('~', this.#slots.size + 2)
    if (digest !== this.#digest || slots.length !== this.#slots.size || !slots.every(isSlot)) return false
    for (const [at, address] of [...this.#slots.keys()].entries()) this.#slots.set(address, slots[at]!)
    return true
  }

  /** What the reader has of a channel. */
  had(address: string): Had {
    const slot = this.#slots.get(address)!
    return { since: positionIn(slot), isAwaited: slot === AWAITED }
  }

  /** The id of what brings the reader to a position of a channel. */
  moved(address: string, position: string): string {
    const { ms, n } = parsePosition(position)!
    this.#slots.set(address, `${ms.toString(36)}.${n.toString(36)}`)
    return this.id
  }

  /** The channel does not exist; returns the id that says so. */
  awaits(address: string): string {
    if (this.#slots.get(address) === '') this.#slots.set(address, AWAITED)
    return this.id
  }

  /** The id of everything up to now. */
  get id(): string {
    return [this.#digest, ...this.#slots.values()].join('~')
  }
}

const isSlot = (slot: string): boolean => slot === '' || slot === AWAITED || positionIn(slot) !== undefined

/** The position in a slot, as text. */
function positionIn(slot: string): string | undefined {
  if (!/^[0-9a-z]{1,11}\.[0-9a-z]{1,11}$/.test(slot)) return undefined
  const [ms, n] = slot.split('.').map((digits) => Number.parseInt(digits, 36))
  return Number.isSafeInteger(ms) && Number.isSafeInteger(n) ? `${ms}-${n}` : undefined
}

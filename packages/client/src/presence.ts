import type { Presence, PresenceMember } from '@arqonbus/protocol'
import type { Command } from './commands.ts'
import type { PresenceChange } from './events.ts'
import type { JoinResult } from './recovery.ts'

/** Who is in a channel or a room, as far as the client knows. */
export type PresenceList = {
  /** How many members there are. */
  readonly count: number
  /** The members; undefined where there are so many that the bus sends only their number. */
  readonly members: readonly PresenceMember[] | undefined
}

type Known = { count: number; members: Map<string, PresenceMember> | undefined }

/** Members that one page of a long list may have. */
const PAGE = 1000

/** Keeps the members of watched channels and rooms current (docs/protocol.md#presence). */
export class PresenceLists {
  readonly #command: Command
  readonly #onChange: (change: PresenceChange) => void
  readonly #lists = new Map<string, Known>()

  constructor(command: Command, onChange: (change: PresenceChange) => void) {
    this.#command = command
    this.#onChange = onChange
  }

  /** Undefined for an address that was not joined with `presence`. */
  of(address: string): PresenceList | undefined {
    const known = this.#lists.get(address)
    return known && { count: known.count, members: known.members && [...known.members.values()] }
  }

  /** A join has a list; undefined ends it. */
  begin(address: string, list: JoinResult['presence']): void {
    if (list === undefined) return void this.#lists.delete(address)
    this.#lists.set(address, { count: list.count, members: list.members && byId(list.members) })
    if (list.members !== undefined) void this.#readOn(address, list.cursor)
  }

  /** The bus says what has changed. */
  changed(address: string, { count, joined, left = [], updated = [], reset, cursor }: Presence): void {
    const known = this.#lists.get(address)
    if (known === undefined) return
    known.count = count
    if (joined === undefined) known.members = undefined
    else if (reset) known.members = byId(joined)
    for (const member of [...(joined ?? []), ...updated]) known.members?.set(member.client_id, member)
    for (const id of left) known.members?.delete(id)
    if (reset) void this.#readOn(address, cursor)
    this.#onChange({ address, count, joined: joined ?? [], left, updated })
  }

  /** Reads what did not fit into a frame. What changes meanwhile is behind the page that has it, or in it. */
  async #readOn(address: string, first: string | undefined): Promise<void> {
    const known = this.#lists.get(address)
    const { members } = known ?? {}
    for (let cursor = first; cursor !== undefined && members !== undefined; ) {
      const page = await this.#command('presence', { channel: address, cursor, limit: PAGE }).catch(() => undefined)
      // Meanwhile the list may have ended or begun anew, or the connection may be lost: the next join has another list.
      if (page === undefined || this.#lists.get(address)?.members !== members) return
      for (const member of page.members) members.set(member.client_id, member)
      this.#onChange({ address, count: page.count, joined: page.members, left: [], updated: [] })
      cursor = page.cursor
    }
  }
}

const byId = (members: readonly PresenceMember[]): Map<string, PresenceMember> =>
  new Map(members.map((member) => [member.client_id, member]))

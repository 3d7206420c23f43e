/**
 * A channel or a room whose members somebody watches: what has changed since the last event.
 *
 * Changes wait until the next event, by client id: one that comes and goes in between has not been there, and of one
 * that changes its status many times the last one counts.
 */
import { MOST_LISTED_MEMBERS } from '@arqonbus/protocol'
import type { Client } from '../state/model.ts'
import type { Absent, Shown } from './member.ts'
import { hiddenIn, isVisible, joinedIn, type Place } from './place.ts'

/** What became of a member. */
export type Change = { readonly what: 'joined' | 'left' | 'updated'; readonly member: Shown }

/** A client that watches. */
export type Watcher = {
  readonly client: Client
  /** What had changed when it was given its list. */
  seq: number
  /** True where it was not sent an event, because it reads too slowly: it gets the whole list then. */
  isBehind: boolean
}

/** With fewer members than this, events name them again. */
const FEW_AGAIN = MOST_LISTED_MEMBERS * 0.8

/** A place that is watched, or has members without a subscription. */
export class WatchedPlace {
  readonly watchers = new Map<Client, Watcher>()
  /** By client id. */
  readonly absent = new Map<string, Absent>()
  readonly #hidden: Set<Client>
  #changes = new Map<string, Change>()
  /** Counts changes. */
  seq = 0
  /** True where events have only the number of members. */
  isCounting: boolean
  /** The number that the last event had. */
  sentCount: number | undefined
  /** True while an event is on its way to the watchers. */
  isSending = false

  constructor(readonly place: Place) {
    this.#hidden = hiddenIn(place)
    this.isCounting = this.count > MOST_LISTED_MEMBERS
  }

  /** How many members there are. */
  get count(): number {
    return joinedIn(this.place).size - this.#hidden.size + this.absent.size
  }

  /** True where there is something to send. */
  get hasChanged(): boolean {
    return this.#changes.size > 0
  }

  /** Whether a client that has joined is shown. */
  isShown(client: Client): boolean {
    return joinedIn(this.place).has(client) && !this.#hidden.has(client)
  }

  /** Whether a client that has joined is not shown. */
  isHidden(client: Client): boolean {
    return this.#hidden.has(client)
  }

  /** A client has joined, or shows itself or hides now; `wasIn` says whether it was there before. */
  entered(client: Client, wasIn: boolean): void {
    const wasShown = (wasIn && !this.#hidden.has(client)) || this.absent.has(client.id)
    const gone = this.absent.get(client.id)
    this.absent.delete(client.id)
    const isShown = isVisible(client, this.place)
    if (isShown) this.#hidden.delete(client)
    else this.#hidden.add(client)
    if (isShown && !wasShown) this.changed('joined', client)
    if (!isShown && wasShown) this.changed('left', client)
    if (isShown && gone !== undefined && isOtherProfile(gone, client)) this.changed('updated', client)
  }

  /** A client has left. With `absent` it is still shown for a while. */
  exited(client: Client, isStillIn: boolean, absent: Absent | undefined): void {
    const wasShown = !this.#hidden.has(client)
    const isShown = isStillIn && isVisible(client, this.place)
    if (!isStillIn) this.#hidden.delete(client)
    else if (!isShown) this.#hidden.add(client)
    if (!wasShown || isShown) return
    if (absent === undefined) this.changed('left', client)
    else this.#addAbsent(absent)
  }

  /** A member without a subscription comes, by HTTP. */
  came(absent: Absent): void {
    this.#addAbsent(absent)
    this.changed('joined', absent)
  }

  /** Behind all others: they are listed by their numbers. */
  #addAbsent(absent: Absent): void {
    this.absent.delete(absent.id)
    this.absent.set(absent.id, absent)
  }

  /** A member without a subscription is gone. */
  went(clientId: string): void {
    const absent = this.absent.get(clientId)
    if (absent === undefined) return
    this.absent.delete(clientId)
    this.changed('left', absent)
  }

  changed(what: Change['what'], member: Shown): void {
    this.seq++
    const before = this.#changes.get(member.id)?.what
    const next = combined(before, what)
    if (next === undefined) this.#changes.delete(member.id)
    else this.#changes.set(member.id, { what: next, member })
  }

  /** Takes out changes, oldest first, as long as `takes` says so. */
  takeChanges(takes: (change: Change) => boolean): void {
    for (const [id, change] of this.#changes) {
      if (!takes(change)) return
      this.#changes.delete(id)
    }
  }

  /** Forgets the changes: what is sent says how it is now. */
  forgetChanges(): void {
    this.#changes.clear()
  }

  /** Whether events have only the number of members, from now on. */
  decideToCount(): boolean {
    const { count } = this
    return this.isCounting ? count > FEW_AGAIN : count > MOST_LISTED_MEMBERS
  }
}

/** What two changes of a member are together; undefined where nothing is different. */
function combined(before: Change['what'] | undefined, what: Change['what']): Change['what'] | undefined {
  if (before === undefined) return what
  // One that was gone and is back may have another status, or another profile.
  if (before === 'left') return what === 'joined' ? 'updated' : before
  if (before === 'joined') return what === 'left' ? undefined : 'joined'
  return what
}

const isOtherProfile = ({ profile: one }: Shown, { profile: other }: Shown): boolean =>
  one.screenName !== other.screenName || one.clientType !== other.clientType

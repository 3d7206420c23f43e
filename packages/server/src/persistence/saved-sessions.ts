/**
 * The sessions of the store: written behind what happens here, restored when the store can be read for the first time,
 * and loaded where a client resumes one that is not here.
 */
import { commands, compile, parseAddress } from '@arqonbus/protocol'
import { hashSecret, isSecret } from '../auth/secrets.ts'
import type { Config } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import { awayError } from '../log/refusals.ts'
import type { Clients } from '../state/clients.ts'
import type { Client, SubscriptionOptions } from '../state/model.ts'
import type { SessionRecord } from '../state/records.ts'
import { allSubscribed, keyOf, type Session, type Sessions, type Subscribed } from '../state/sessions.ts'
import { subscribedBy } from '../state/views.ts'
import { sessionIn, sessionText } from './record-text.ts'
import type { Change, Store, Stored } from './store.ts'
import { WriteBehind } from './write-behind.ts'

/** What saving sessions needs. */
export type SavedSessionsDeps = Pick<Config, 'sessionTtlMs' | 'maxSessions' | 'maxSubscriptions'> & {
  readonly store: Pick<Store, 'isAway' | 'write' | 'session'>
  readonly clock: Clock
  readonly sessions: Sessions
  readonly clients: Clients
  /** False: only what opens the inbox of a session is saved, and only where it has one. */
  readonly isWhole: boolean
  readonly hasInbox: (session: Session) => boolean
}

const MOST_WAITING = 100_000
/** A client that has its welcome is to be known after a crash too; what changes in one turn is written once. */
const DELAY_MS = 5
/** How often the record of a connected client is written again, at least and at most; between, a tenth of its time. */
const FIRST_REFRESH_MS = 1000
const LAST_REFRESH_MS = 300_000
/** The saved sessions of one server. */
export class SavedSessions {
  readonly #deps: SavedSessionsDeps
  /** Changes on their way to the store, by client id. */
  readonly writes: WriteBehind
  readonly #refreshMs: number
  /** When the record of a connected client is to be written again, in running time, the earliest first. */
  readonly #dueAt = new Map<string, number>()
  /**
   * Sessions that began while the store was reachable, and are not stored yet: with each, those before it have ended.
   * One that began during an outage ends none: an earlier session of that client id may be stored, and the client that
   * it belongs to may resume it.
   */
  readonly #replacing = new WeakSet<Session>()
  /** Sessions that the store had. */
  readonly #stored = new WeakSet<Session>()
  #isLoaded = false

  constructor(deps: SavedSessionsDeps) {
    this.#deps = deps
    this.#refreshMs = Math.min(LAST_REFRESH_MS, Math.max(FIRST_REFRESH_MS, deps.sessionTtlMs / 10))
    this.writes = new WriteBehind({
      delayMs: DELAY_MS,
      most: MOST_WAITING,
      isGone: (clientId) => deps.sessions.get(clientId) === undefined,
      changeOf: (clientId) => this.#changeOf(clientId),
      write: (changes) => this.#write(changes),
    })
  }

  /** The session of a client began, was resumed, is kept, or has ended. */
  changed(clientId: string, isNew = false): void {
    const session = this.#deps.sessions.get(clientId)
    if (session?.isBrief === true) return
    if (isNew && session !== undefined && !this.#deps.store.isAway) this.#replacing.add(session)
    this.writes.changed(clientId)
  }

  /** A client has one subscription more or less. */
  subscribed(client: Client): void {
    if (this.#deps.isWhole && client.kind === 'connection' && !client.isClosing) this.changed(client.id)
  }

  /**
   * Loads the session with that secret, where it is not here; undefined where there is nothing to wait for. Resolves to
   * a function that restores it, or to undefined where there is no such session. Fails with `storage_unavailable` where
   * that is not known.
   */
  load(clientId: string, secret: string): Promise<(() => void) | undefined> | undefined {
    const { sessions, store } = this.#deps
    if (sessions.find(clientId, secret) !== undefined || this.#haveEnded(clientId)) return undefined
    if (store.isAway) return Promise.reject(cannotSay())
    const before = sessions.get(clientId)
    const key = keyOf({ secretHash: hashSecret(secret) })
    return store.session(clientId, key).then(
      (text) => {
        const record = this.#live(text)
        if (record === undefined || record.clientId !== clientId) return undefined
        if (!isSecret(secret, Buffer.from(record.secretHash, 'base64url'))) return undefined
        // Meanwhile another client may have taken the id.
        const isUnchanged = sessions.get(clientId) === before && !this.#haveEnded(clientId)
        return isUnchanged ? () => this.#restore(record) : undefined
      },
      () => Promise.reject(cannotSay()),
    )
  }

  /** Restores the latest sessions, the first time; later writes all that are here again. */
  async compare(stored: Stored): Promise<void> {
    const { sessions, maxSessions } = this.#deps
    if (this.#isLoaded) {
      // Redis may have lost them, or expired them while their records could not be refreshed.
      for (const { clientId } of sessions.all()) this.changed(clientId)
      return
    }
    for (const text of await stored.sessions(maxSessions)) {
      const record = this.#live(text)
      // One that has begun here since is the latest: the one before it is loaded when its client sends its secret.
      if (record !== undefined && sessions.get(record.clientId) === undefined) this.#restore(record)
    }
    this.#isLoaded = true
  }

  /** Has the records of connected clients written again before they expire. Called every second. */
  sweep(now: number): void {
    for (const [clientId, at] of this.#dueAt) {
      if (at > now) break
      this.#dueAt.delete(clientId)
      this.writes.changed(clientId)
    }
  }

  /**
   * The record of a connected client lasts as long as its session would if the process ended now, and a little longer.
   */
  #untilOf({ expiresAt }: Session): number {
    const { clock, sessionTtlMs } = this.#deps
    return clock.now() + (expiresAt === undefined ? sessionTtlMs + 2 * this.#refreshMs : expiresAt - clock.monotonic())
  }

  #recordOf(session: Session): SessionRecord {
    const { clients, isWhole, maxSubscriptions } = this.#deps
    const { clientId, secretHash } = session
    const known = clients.get(clientId)
    const client = known?.kind === 'connection' ? known : undefined
    const { subjects } = session
    const record = {
      clientId,
      secretHash: secretHash.toString('base64url'),
      until: this.#untilOf(session),
      ...(subjects.length > 0 && { subjects }),
    }
    if (!isWhole) return { ...record, profile: { clientType: 'human' }, subscriptions: [] }
    const subscribed =
      client === undefined ? session.subscribed : allSubscribed(subscribedBy(client), session, maxSubscriptions)
    return { ...record, profile: client?.profile ?? session.profile, ...subscribedText(subscribed) }
  }

  #changeOf(clientId: string): Change | undefined {
    const { sessions, clock, isWhole, hasInbox } = this.#deps
    const session = sessions.get(clientId)
    this.#dueAt.delete(clientId)
    if (session === undefined || session.isBrief) return { kind: 'session', name: clientId, text: undefined }
    if (!isWhole && !hasInbox(session) && !this.#stored.has(session)) return undefined
    if (session.expiresAt === undefined) this.#dueAt.set(clientId, clock.monotonic() + this.#refreshMs)
    const record = this.#recordOf(session)
    const about = { key: keyOf(session), until: record.until, isAlone: this.#replacing.has(session) }
    return { kind: 'session', name: clientId, text: sessionText(record), session: about }
  }

  async #write(changes: readonly Change[]): Promise<readonly Change[]> {
    const { store, sessions } = this.#deps
    const refused = await store.write(changes)
    for (const change of changes) {
      const session = sessions.get(change.name)
      const isStored = session !== undefined && change.session?.key === keyOf(session) && !refused.includes(change)
      if (isStored) this.#replacing.delete(session)
    }
    return refused
  }

  /** A setting may have become shorter since the record was written. */
  #restore(record: SessionRecord): void {
    const { sessions, clock, sessionTtlMs } = this.#deps
    const { clientId, profile } = record
    sessions.restore({
      clientId,
      secretHash: Buffer.from(record.secretHash, 'base64url'),
      formerHash: undefined,
      profile,
      isBrief: false,
      subjects: subjectsIn(record),
      subscribed: subscribedIn(record),
      expiresAt: clock.monotonic() + Math.min(record.until - clock.now(), sessionTtlMs + 2 * this.#refreshMs),
    })
    const session = sessions.get(clientId)
    if (session !== undefined) this.#stored.add(session)
  }

  #live(text: string | undefined): SessionRecord | undefined {
    const record = text === undefined ? undefined : sessionIn(text)
    return record !== undefined && record.until > this.#deps.clock.now() ? record : undefined
  }

  /** True where the sessions of a client that the store may have are known here to have ended. */
  #haveEnded(clientId: string): boolean {
    const here = this.#deps.sessions.get(clientId)
    return here === undefined ? this.writes.pending.has(clientId) : this.#replacing.has(here)
  }
}

const cannotSay = () => awayError({ reason: 'the session cannot be looked up now' })

/** What a record says of subscriptions: their addresses, which of them are of private channels, and their options. */
function subscribedText(subscribed: Subscribed): Pick<SessionRecord, 'subscriptions' | 'private' | 'options'> {
  const inPrivate: string[] = []
  const options: [string, SubscriptionOptions][] = []
  for (const [address, kept] of subscribed) {
    if (kept.type === 'private') inPrivate.push(address)
    if (kept.options !== undefined) options.push([address, kept.options])
  }
  return {
    subscriptions: [...subscribed.keys()],
    ...(inPrivate.length > 0 && { private: inPrivate }),
    ...(options.length > 0 && { options: Object.fromEntries(options) }),
  }
}

const subjectsIn = ({ subjects }: SessionRecord): readonly string[] =>
  Array.isArray(subjects) ? subjects.filter((one) => typeof one === 'string') : []

function subscribedIn({ subscriptions, private: inPrivate, options }: SessionRecord): Subscribed {
  const addresses = subscriptions.filter((one) => typeof one === 'string' && parseAddress(one) !== undefined)
  const isPrivate = new Set(Array.isArray(inPrivate) ? inPrivate : [])
  const optionsOf = new Map(Object.entries(options ?? {}).filter(([, one]) => isOptions(one)))
  return new Map(
    addresses.map((address) => [
      address,
      { type: isPrivate.has(address) ? 'private' : undefined, options: optionsOf.get(address) },
    ]),
  )
}

const areJoinParameters = compile(commands.join_channel.parameters)

/** A record may have been written by another version, with options that this one does not know. */
const isOptions = (options: unknown): boolean =>
  typeof options === 'object' && options !== null && areJoinParameters(options) === undefined

/**
 * What the store has of sessions: written behind what happens here, put back when the store first comes, and asked for where a client brings one that is not
 * here.
 */
import { CodedError, parseAddress } from '@arqonbus/protocol'
import { hashSecret, isSecret } from '../auth/secrets.ts'
import type { Clock } from '../kit/clock.ts'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import type { SessionRecord } from '../state/records.ts'
import { allSubscribed, keyOf, type Session, type Sessions, type Subscribed } from '../state/sessions.ts'
import { subscribedBy } from '../state/views.ts'
import { sessionIn, sessionText } from './record-text.ts'
import type { Change, Store, Stored } from './store.ts'
import { createWriteBehind, type WriteBehind } from './write-behind.ts'

/** What keeping them needs. */
export type KeepSessionsDeps = {
  readonly store: Pick<Store, 'isAway' | 'write' | 'session'>
  readonly clock: Clock
  readonly sessions: Sessions
  readonly clients: Clients
  readonly sessionTtlMs: number
  readonly maxSessions: number
  /** Subscriptions of one client. */
  readonly maxSubscriptions: number
}

/** Which sessions are kept, and what of them. */
export type KeptSessions = {
  /** False: of a session only what opens its inbox is kept, and only where it has one. */
  readonly isWhole: boolean
  readonly hasInbox: (session: Session) => boolean
}

/** Keeping them. */
export type SessionKeeper = Omit<WriteBehind, 'changed'> & {
  /** The session of a client began, goes on, is kept, or was ended. */
  changed(clientId: string, isNew?: boolean): void
  /** A client has another subscription, or one less. */
  subscribed(client: Client): void
  /**
   * Asks the store for the session that a client brings, where it is not here; undefined where there is nothing to wait for. Resolves to what puts it back, or
   * to nothing where there is no such session. Fails with `storage_unavailable` where nobody can say.
   */
  recall(clientId: string, secret: string): Promise<(() => void) | undefined> | undefined
  compare(stored: Stored): Promise<void>
  /** The records of those who stay connected are made to last. */
  sweep(now: number): void
}

const MOST_WAITING = 100_000
/** A client that has its welcome is to be known after a crash too; what changes in one turn is written once. */
const DELAY_MS = 5
/** How often the record of a connected client is written again, at least and at most; between, a tenth of its time. */
const FIRST_REFRESH_MS = 1000
const LAST_REFRESH_MS = 300_000
/** When to come back with a session that nobody can look for now. */
const RETRY_AFTER_MS = 1000

/** Makes the persistence of one server. */
export function createSessionKeeper(deps: KeepSessionsDeps, { isWhole, hasInbox }: KeptSessions): SessionKeeper {
  const { store, clock, sessions, clients, sessionTtlMs } = deps
  const refreshMs = Math.min(LAST_REFRESH_MS, Math.max(FIRST_REFRESH_MS, sessionTtlMs / 10))
  /** When the record of a connected client is to be written again, in running time: the first one first. */
  const dueAt = new Map<string, number>()
  /**
   * Sessions that began while the store could be asked, and are not stored yet: with each, those before it have ended. One that began while it was away ends
   * none: an earlier session of that client id may be stored, and the client that it belongs to may come back with it.
   */
  const replacing = new WeakSet<Session>()
  /** Those that the store had. */
  const stored = new WeakSet<Session>()
  let isLoaded = false

  /** The record of a client that is connected lasts as long as its session would if the process ended now, and a little longer. */
  const untilOf = ({ expiresAt }: Session) =>
    clock.now() + (expiresAt === undefined ? sessionTtlMs + 2 * refreshMs : expiresAt - clock.monotonic())

  const recordOf = (session: Session): SessionRecord => {
    const { clientId, secretHash } = session
    const known = clients.get(clientId)
    const client = known?.kind === 'connection' ? known : undefined
    const record = { clientId, secretHash: secretHash.toString('base64url'), until: untilOf(session) }
    if (!isWhole) return { ...record, profile: { clientType: 'human' }, subscriptions: [] }
    return {
      ...record,
      profile: client?.profile ?? session.profile,
      ...subscribedText(
        client === undefined ? session.subscribed : allSubscribed(subscribedBy(client), session, deps.maxSubscriptions),
      ),
    }
  }
  const changeOf = (clientId: string): Change | undefined => {
    const session = sessions.get(clientId)
    dueAt.delete(clientId)
    if (session === undefined) return { kind: 'session', name: clientId, text: undefined }
    if (!isWhole && !hasInbox(session) && !stored.has(session)) return undefined
    if (session.expiresAt === undefined) dueAt.set(clientId, clock.monotonic() + refreshMs)
    const record = recordOf(session)
    const about = { key: keyOf(session), until: record.until, isAlone: replacing.has(session) }
    return { kind: 'session', name: clientId, text: sessionText(record), session: about }
  }
  const write = async (changes: readonly Change[]): Promise<readonly Change[]> => {
    const refused = await store.write(changes)
    for (const change of changes) {
      const session = sessions.get(change.name)
      const isStored = session !== undefined && change.session?.key === keyOf(session) && !refused.includes(change)
      if (isStored) replacing.delete(session)
    }
    return refused
  }
  const behind = createWriteBehind({
    delayMs: DELAY_MS,
    most: MOST_WAITING,
    isGone: (clientId) => sessions.get(clientId) === undefined,
    changeOf,
    write,
  })

  /** A setting may have become shorter since it was written. */
  const restore = (record: SessionRecord) => {
    const { clientId, profile } = record
    sessions.restore({
      clientId,
      secretHash: Buffer.from(record.secretHash, 'base64url'),
      formerHash: undefined,
      profile,
      subscribed: subscribedIn(record),
      expiresAt: clock.monotonic() + Math.min(record.until - clock.now(), sessionTtlMs + 2 * refreshMs),
    })
    const session = sessions.get(clientId)
    if (session !== undefined) stored.add(session)
  }
  const live = (text: string | undefined): SessionRecord | undefined => {
    const record = text === undefined ? undefined : sessionIn(text)
    return record !== undefined && record.until > clock.now() ? record : undefined
  }

  /** True where the sessions of a client that the store may have are known here to have ended. */
  const haveEnded = (clientId: string): boolean => {
    const here = sessions.get(clientId)
    return here === undefined ? behind.has(clientId) : replacing.has(here)
  }

  return {
    ...behind,
    get isAny() {
      return behind.isAny
    },
    get size() {
      return behind.size
    },
    changed(clientId, isNew = false) {
      const session = sessions.get(clientId)
      if (isNew && session !== undefined && !store.isAway) replacing.add(session)
      behind.changed(clientId)
    },
    subscribed(client) {
      if (client.isClosing || client.kind !== 'connection') return
      if (isWhole) behind.changed(client.id)
    },
    recall(clientId, secret) {
      if (sessions.find(clientId, secret) !== undefined || haveEnded(clientId)) return undefined
      if (store.isAway) return Promise.reject(cannotSay())
      const before = sessions.get(clientId)
      const key = keyOf({ secretHash: hashSecret(secret) })
      return store.session(clientId, key).then(
        (text) => {
          const record = live(text)
          if (record === undefined || record.clientId !== clientId) return undefined
          if (!isSecret(secret, Buffer.from(record.secretHash, 'base64url'))) return undefined
          // Meanwhile another client may have taken the id.
          return sessions.get(clientId) === before && !haveEnded(clientId) ? () => restore(record) : undefined
        },
        () => Promise.reject(cannotSay()),
      )
    },
    async compare(stored) {
      if (isLoaded) {
        // Redis may have lost them, or let them go while it could not be told that they go on.
        for (const { clientId } of sessions.all()) behind.changed(clientId)
        return
      }
      for (const text of await stored.sessions(deps.maxSessions)) {
        const record = live(text)
        // One that has begun here since is the latest: the one before it is asked for when its client brings it.
        if (record !== undefined && sessions.get(record.clientId) === undefined) restore(record)
      }
      isLoaded = true
    },
    sweep(now) {
      for (const [clientId, at] of dueAt) {
        if (at > now) break
        dueAt.delete(clientId)
        behind.changed(clientId)
      }
    },
  }
}

const cannotSay = (): CodedError =>
  new CodedError('storage_unavailable', { reason: 'the session cannot be looked for now' }, RETRY_AFTER_MS)
/** What a record says of subscriptions: their addresses, and which of them are of private channels. */
function subscribedText(subscribed: Subscribed): Pick<SessionRecord, 'subscriptions' | 'private'> {
  const inPrivate = Array.from(subscribed)
    .filter(([, type]) => type === 'private')
    .map(([address]) => address)
  return { subscriptions: [...subscribed.keys()], ...(inPrivate.length > 0 && { private: inPrivate }) }
}

function subscribedIn({ subscriptions, private: inPrivate }: SessionRecord): Subscribed {
  const addresses = subscriptions.filter((one) => typeof one === 'string' && parseAddress(one) !== undefined)
  const isPrivate = new Set(Array.isArray(inPrivate) ? inPrivate : [])
  return new Map(addresses.map((address) => [address, isPrivate.has(address) ? 'private' : undefined]))
}

/** What the store has of sessions: written behind what happens here, put back when the store first comes, and asked for where a client brings one that is not here. */
import { parseAddress } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import { isSecret } from '../../kit/secrets.ts'
import type { Clients } from '../../state/clients.ts'
import type { Client } from '../../state/model.ts'
import type { Session, Sessions } from '../../state/sessions.ts'
import { subscriptionsOf } from '../../state/views.ts'
import { type Behind, createBehind } from '../../store/behind.ts'
import type { Change, SessionRecord, Store, Stored } from '../../store/contract.ts'
import { sessionIn, sessionText } from '../../store/records.ts'
import { askerOf } from '../places/places.ts'

/** What keeping them needs. */
export type KeepSessionsDeps = {
  readonly store: Store
  readonly clock: Clock
  readonly sessions: Sessions
  readonly clients: Clients
  readonly sessionTtlMs: number
  readonly maxSessions: number
}

/** Keeping them. */
export type SessionKeeper = Pick<Behind, 'settled' | 'ready' | 'away'> & {
  changed(clientId: string): void
  /** A client has another subscription, or one less. */
  subscribed(client: Client): void
  /** Asks the store for the session that a client brings, where it is not here; undefined where there is nothing to wait for. Never fails. */
  recall(clientId: string, secret: string): Promise<void> | undefined
  compare(stored: Stored): Promise<void>
  /** The records of those who stay connected are made to last. */
  sweep(now: number): void
}

const MOST_WAITING = 100_000
/** Whoever is welcomed is to be known after a crash too; what changes in one turn is written once. */
const DELAY_MS = 5
/** How often the record of a connected client is written again, at least and at most; between, a tenth of its time. */
const FIRST_REFRESH_MS = 1000
const LAST_REFRESH_MS = 300_000

/** Makes it. */
export function createSessionKeeper(deps: KeepSessionsDeps): SessionKeeper {
  const { store, clock, sessions, clients, sessionTtlMs } = deps
  const refreshMs = Math.min(LAST_REFRESH_MS, Math.max(FIRST_REFRESH_MS, sessionTtlMs / 10))
  /** When the record of a connected client is to be written again, in running time: the first one first. */
  const dueAt = new Map<string, number>()
  /** Whoever has joined something since it came. Until then its subscriptions are those that it had: it may be about to join them again. */
  const joined = new WeakSet<Client>()
  let isLoaded = false

  /** The record of a client that is connected lasts as long as its session would if the process ended now, and a little longer. */
  const untilOf = ({ expiresAt }: Session) =>
    clock.now() + (expiresAt === undefined ? sessionTtlMs + 2 * refreshMs : expiresAt - clock.monotonic())

  const recordOf = (session: Session): SessionRecord => {
    const { clientId, secretHash } = session
    const client = clients.get(clientId)
    return {
      clientId,
      secretHash: secretHash.toString('base64url'),
      profile: client?.profile ?? session.profile,
      subscriptions:
        client !== undefined && joined.has(client) ? subscriptionsOf(client, askerOf(client)) : session.subscriptions,
      until: untilOf(session),
    }
  }
  const changeOf = (clientId: string): Change => {
    const session = sessions.get(clientId)
    dueAt.delete(clientId)
    if (session === undefined) return { kind: 'session', name: clientId, text: undefined }
    if (session.expiresAt === undefined) dueAt.set(clientId, clock.monotonic() + refreshMs)
    const record = recordOf(session)
    return { kind: 'session', name: clientId, text: sessionText(record), until: record.until }
  }
  const behind = createBehind({
    delayMs: DELAY_MS,
    most: MOST_WAITING,
    isGone: (clientId) => sessions.get(clientId) === undefined,
    changeOf,
    write: store.write,
  })

  /** A setting may have become shorter since it was written. */
  const putBack = (record: SessionRecord) => {
    const { clientId, profile } = record
    sessions.putBack({
      clientId,
      secretHash: Buffer.from(record.secretHash, 'base64url'),
      formerHash: undefined,
      profile,
      subscriptions: record.subscriptions.filter((one) => typeof one === 'string' && parseAddress(one) !== undefined),
      expiresAt: clock.monotonic() + Math.min(record.until - clock.now(), sessionTtlMs + 2 * refreshMs),
    })
  }
  const live = (text: string | undefined): SessionRecord | undefined => {
    const record = text === undefined ? undefined : sessionIn(text)
    return record !== undefined && record.until > clock.now() ? record : undefined
  }

  return {
    ...behind,
    subscribed(client) {
      if (client.isClosing) return
      joined.add(client)
      behind.changed(client.id)
    },
    recall(clientId, secret) {
      // What has changed here and is not stored yet is known better here: a session that was ended, for one.
      if (store.isAway || clients.get(clientId) !== undefined || behind.has(clientId)) return undefined
      if (sessions.find(clientId, secret) !== undefined) return undefined
      const before = sessions.get(clientId)
      return store.session(clientId).then((text) => {
        const record = live(text)
        if (record === undefined || record.clientId !== clientId) return
        if (!isSecret(secret, Buffer.from(record.secretHash, 'base64url'))) return
        // Meanwhile somebody else may have taken the id.
        if (clients.get(clientId) === undefined && sessions.get(clientId) === before) putBack(record)
      })
    },
    async compare(stored) {
      if (isLoaded) {
        // Redis may have lost them, or let them go while it could not be told that they go on.
        for (const { clientId } of sessions.all()) behind.changed(clientId)
        return
      }
      for (const text of await stored.sessions(deps.maxSessions)) {
        const record = live(text)
        // One that has begun here since is the latest.
        if (record !== undefined && sessions.get(record.clientId) === undefined) putBack(record)
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

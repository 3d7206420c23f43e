/**
 * Sessions: who a client is over its connections (docs/protocol.md#sessions). Secrets are kept hashed; without a store
 * they end with the process.
 */

import { hashSecret, isSecret, newSecret } from '../auth/secrets.ts'
import type { Clock } from '../kit/clock.ts'
import type { ChannelType, Profile } from './model.ts'

/** A session. */
export type Session = {
  readonly clientId: string
  readonly secretHash: Buffer
  /** The hash of the secret that its client brought when it began: that of a session which has ended, if of any. */
  readonly formerHash: Buffer | undefined
  profile: Profile
  /** True where it ends with its connection: it is never kept. */
  isBrief: boolean
  /** The subjects of the token that it was last opened with, as in `Credential`; none where there was no token. */
  subjects: readonly string[]
  /**
   * What it is subscribed to. While its client is connected: what it was subscribed to before, but for what the client
   * has left since; what it has joined comes to that.
   */
  subscribed: Subscribed
  /** When it ends, in running time; undefined while its client is connected. */
  expiresAt: number | undefined
}

/** Enough of the hash of its secret to distinguish a session from every other session of its client. */
export const keyOf = ({ secretHash }: Pick<Session, 'secretHash'>): string => secretHash.toString('base64url', 0, 12)

/**
 * Addresses, with the type of their channel: that of a room has none, and of a session that was stored only `private`
 * is known.
 */
export type Subscribed = ReadonlyMap<string, ChannelType | undefined>

/**
 * All that a session is subscribed to, `joined` being what its client has joined. A connection that is cut before it
 * has joined everything again takes nothing away. At most `most` addresses.
 */
export function allSubscribed(
  joined: Subscribed,
  { subscribed }: Pick<Session, 'subscribed'>,
  most: number,
): Subscribed {
  const all = new Map(joined)
  for (const [address, type] of subscribed) {
    if (all.size >= most) break
    if (!all.has(address)) all.set(address, type)
  }
  return all
}

/** The sessions by client id: one id has one session, the latest. */
export type Sessions = ReturnType<typeof createSessions>

/**
 * No sessions; at most `max` of clients that are gone are kept, the longest gone goes first. `changed` is called for
 * each that begins (`isNew`), goes on, is kept, or is ended before its time.
 */
export function createSessions(
  max: number,
  clock: Pick<Clock, 'monotonic'>,
  changed: (clientId: string, isNew?: boolean) => void,
) {
  const sessions = new Map<string, Session>()
  /** Sessions of clients that are gone, in the order in which they went. */
  const kept = new Set<Session>()
  const forget = (session: Session) => {
    kept.delete(session)
    if (sessions.get(session.clientId) === session) sessions.delete(session.clientId)
  }
  const end = (session: Session): void => {
    forget(session)
    changed(session.clientId)
  }
  const add = (session: Session) => {
    const before = sessions.get(session.clientId)
    if (before !== undefined) forget(before)
    sessions.set(session.clientId, session)
  }
  const keep = (session: Session) => {
    kept.add(session)
    if (kept.size > max) end(kept.values().next().value!)
  }
  /** An expired session counts as absent, whether it has been swept or not. */
  const get = (clientId: string): Session | undefined => {
    const session = sessions.get(clientId)
    return session?.expiresAt !== undefined && session.expiresAt <= clock.monotonic() ? undefined : session
  }
  return {
    get size(): number {
      return kept.size
    },
    /** The session that `secret` opens; undefined if no session, or the session of another client, has that secret. */
    find(clientId: string, secret: string): Session | undefined {
      const session = get(clientId)
      return session !== undefined && isSecret(secret, session.secretHash) ? session : undefined
    },
    get,
    /**
     * Begins a session; returns the secret, which is never shown again. `former` is the secret that its client sent,
     * and that opens no session.
     */
    begin(
      clientId: string,
      profile: Profile,
      { former, subjects = [] }: { readonly former?: string | undefined; readonly subjects?: readonly string[] } = {},
    ): { session: Session; secret: string } {
      const secret = newSecret(former)
      const session: Session = {
        clientId,
        secretHash: hashSecret(secret),
        formerHash: former === undefined ? undefined : hashSecret(former),
        profile,
        isBrief: false,
        subjects,
        subscribed: new Map(),
        expiresAt: undefined,
      }
      add(session)
      changed(clientId, true)
      return { session, secret }
    },
    /** Its client is back. The secret stays: a new one could be lost with a welcome that never arrived. */
    resume(session: Session): void {
      kept.delete(session)
      session.expiresAt = undefined
      changed(session.clientId)
    },
    /** The client has gone: the session is kept until `expiresAt`, or ends where it is brief. */
    keep(session: Session, subscribed: Subscribed, expiresAt: number): void {
      if (sessions.get(session.clientId) !== session) return
      if (session.isBrief) return end(session)
      session.subscribed = subscribed
      session.expiresAt = expiresAt
      changed(session.clientId)
      keep(session)
    },
    /** Its client has left an address: it is not subscribed to it any more. */
    left(clientId: string, address: string): void {
      const session = sessions.get(clientId)
      if (session?.subscribed.has(address) !== true) return
      const subscribed = new Map(session.subscribed)
      subscribed.delete(address)
      session.subscribed = subscribed
      changed(clientId)
    },
    end,
    sweep(now: number): void {
      for (const session of kept) {
        if (session.expiresAt !== undefined && session.expiresAt > now) break
        forget(session)
      }
    },
    all: (): Iterable<Session> => sessions.values(),
    /** Puts back a session that was kept elsewhere, in place of what is known of its client, who is gone. */
    restore(session: Session & { readonly expiresAt: number }): void {
      add(session)
      keep(session)
    },
  }
}

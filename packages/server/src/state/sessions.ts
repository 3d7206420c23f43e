/**
 * Sessions: who a client is over its connections (docs/protocol.md#sessions). Secrets are kept hashed; without a store
 * they end with the process.
 */

import { hashSecret, isSecret, newSecret } from '../auth/secrets.ts'
import type { Clock } from '../kit/clock.ts'
import type { Account, Source } from '../limits/accounts.ts'
import { Budget } from '../limits/budget.ts'
import type { ChannelType, Profile, SubscriptionOptions } from './model.ts'

/** A session. */
export type Session = {
  readonly clientId: string
  readonly secretHash: Buffer
  /** The hash of the secret that its client brought when it began: that of a session which has ended, if of any. */
  readonly formerHash: Buffer | undefined
  /** To whom it is counted. */
  readonly account: Account
  profile: Profile
  /** True where it ends with its connection: it is never kept or stored, and nobody is told of it. */
  readonly isBrief: boolean
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

/** What a session keeps of a subscription. */
export type KeptSubscription = {
  /** The type of the channel: a room has none, and of a session that was stored only `private` is known. */
  readonly type?: ChannelType | undefined
  readonly options?: SubscriptionOptions | undefined
}

/** What a session is subscribed to, by address. */
export type Subscribed = ReadonlyMap<string, KeptSubscription>

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

/** What sessions are kept with. */
type SessionsOptions = {
  /** How many sessions of clients that are gone are kept, and how many bytes of all sessions. */
  readonly maxSessions: number
  readonly sessionBytes: number
  readonly clock: Pick<Clock, 'monotonic'>
  /** The account of a session that was stored, by its client id. */
  accountOfStored(clientId: string): Account
  /** Called for each that begins (`isNew`), goes on, is kept, or is ended before its time. */
  changed(clientId: string, isNew?: boolean): void
}

/** What a session takes beside its texts, and what each address of it takes beside that. */
const SESSION_BYTES = 400
const ADDRESS_BYTES = 64

/** So many sources are searched for a session to end. */
const MOST_SEARCHED = 32

/** No sessions. Where there are too many, the address or subject whose sessions take most loses the longest gone one. */
export function createSessions({ maxSessions, sessionBytes, clock, accountOfStored, changed }: SessionsOptions) {
  const sessions = new Map<string, Session>()
  const budget = new Budget(sessionBytes)
  /** What each counts as, while there is one. */
  const bytes = new Map<Session, number>()
  /** Sessions of clients that are gone, in the order in which they went: all, and those of each source. */
  const kept = new Set<Session>()
  const keptOf = new Map<Source, Set<Session>>()
  const weigh = (session: Session, weight: number) => {
    const usage = budget.of(session.account)
    const before = bytes.get(session) ?? 0
    if (weight > before) usage.add(weight - before)
    else if (weight < before) usage.remove(before - weight)
    if (weight === 0) bytes.delete(session)
    else bytes.set(session, weight)
  }
  const unkeep = (session: Session) => {
    if (!kept.delete(session)) return
    const { source } = session.account
    const own = keptOf.get(source)!
    own.delete(session)
    if (own.size === 0) keptOf.delete(source)
  }
  const forget = (session: Session) => {
    unkeep(session)
    weigh(session, 0)
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
    weigh(session, weightOf(session))
  }
  const endOne = (): boolean => {
    const longestGone = budget.total.first(
      MOST_SEARCHED,
      (source) =>
        keptOf
          .get(source.owner as Source)
          ?.values()
          .next().value,
    )
    if (longestGone !== undefined) end(longestGone)
    return longestGone !== undefined
  }
  const keep = (session: Session) => {
    kept.add(session)
    keptOf.getOrInsertComputed(session.account.source, () => new Set()).add(session)
    weigh(session, weightOf(session))
    while ((kept.size > maxSessions || budget.used > budget.max) && endOne());
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
    /** Bytes of all sessions. */
    get bytes(): number {
      return budget.used
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
      {
        clientId,
        account,
        profile,
        subjects = [],
        isBrief = false,
      }: Pick<Session, 'clientId' | 'account' | 'profile'> & Partial<Pick<Session, 'subjects' | 'isBrief'>>,
      former?: string,
    ): { session: Session; secret: string } {
      const secret = newSecret(former)
      const session: Session = {
        clientId,
        secretHash: hashSecret(secret),
        formerHash: former === undefined ? undefined : hashSecret(former),
        account,
        profile,
        isBrief,
        subjects,
        subscribed: new Map(),
        expiresAt: undefined,
      }
      add(session)
      if (!isBrief) changed(clientId, true)
      return { session, secret }
    },
    /** Its client is back. The secret stays: a new one could be lost with a welcome that never arrived. */
    resume(session: Session): void {
      unkeep(session)
      session.expiresAt = undefined
      changed(session.clientId)
    },
    /** The client has gone: the session is kept until `expiresAt`, or ends where it is brief. */
    keep(session: Session, subscribed: Subscribed, expiresAt: number): void {
      if (sessions.get(session.clientId) !== session) return
      if (session.isBrief) return forget(session)
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
      weigh(session, weightOf(session))
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
    restore(stored: Omit<Session, 'account'> & { readonly expiresAt: number }): void {
      const session: Session = { ...stored, account: accountOfStored(stored.clientId) }
      add(session)
      keep(session)
    },
  }
}

/** Bytes that a session counts as. */
function weightOf({ clientId, profile, subscribed }: Session): number {
  const { screenName = '', avatar = '', personality = '' } = profile
  let bytes = SESSION_BYTES + 2 * (clientId.length + screenName.length + avatar.length + personality.length)
  for (const address of subscribed.keys()) bytes += ADDRESS_BYTES + address.length
  return bytes
}

/**
 * Inboxes: a log for each session whose client has sent or got a private message (docs/protocol.md#private-messages).
 *
 * It belongs to the session, and not to the id: a client that takes the id later, here or on another server, has
 * another inbox, and does not get messages that were meant for the earlier one.
 */
import { BUS, type Position } from '@arqonbus/protocol'
import { chain, type Maybe } from '../kit/maybe.ts'
import type { Closed, Log } from '../log/contract.ts'
import { type FeedSource, TargetFeed } from './feed.ts'
import { inboxLog } from './log-names.ts'
import type { Feed } from './model.ts'
import { keyOf, type Session } from './sessions.ts'

const INBOX = { room: BUS, channel: 'inbox' }
const ofInbox: FeedSource<Inbox> = { logs: ({ log }) => [log] }

/** An inbox. */
export type Inbox = {
  readonly clientId: string
  /** Which session's it is. */
  readonly key: string
  readonly log: Log
  readonly feed: Feed
  /**
   * Where the inbox ended of the session that its client had before, and has shown to have had; undefined where nothing
   * is known of one.
   */
  formerHead(): Maybe<Position | undefined>
}

/** What the inboxes are kept in. */
type InboxLogs = {
  open(key: string, feeds: readonly Feed[]): Log
  /** What is known of one that is not open. */
  closed(key: string): Maybe<Closed | undefined>
}

/** The inboxes by client id: an id has one session here, and no more than one inbox. */
export type Inboxes = ReturnType<typeof createInboxes>

/** Inboxes that one sweep looks at: this many, and this share of all. */
const FEW = 100
const SHARE = 60

/** No inboxes. */
export function createInboxes(logs: InboxLogs) {
  const inboxes = new Map<string, Inbox>()
  /** Goes round all of them, a part in each sweep. */
  let walk = inboxes.values()
  return {
    get size(): number {
      return inboxes.size
    },
    get(session: Session): Inbox | undefined {
      const inbox = inboxes.get(session.clientId)
      return inbox?.key === keyOf(session) ? inbox : undefined
    },
    /** The inbox of a session, created if it does not exist. The inbox of an earlier session of the client is closed. */
    open(session: Session): Inbox {
      const { clientId } = session
      const key = keyOf(session)
      const existing = inboxes.get(clientId)
      if (existing?.key === key) return existing
      existing?.log.close()
      const feed = new TargetFeed(`i:${clientId}`, INBOX, ofInbox)
      const { formerHash } = session
      const inbox: Inbox = {
        clientId,
        key,
        log: logs.open(inboxLog(clientId, key), [feed]),
        feed,
        formerHead: () =>
          formerHash === undefined
            ? undefined
            : chain(logs.closed(inboxLog(clientId, keyOf({ secretHash: formerHash }))), (closed) => closed?.head),
      }
      feed.target = inbox
      inboxes.set(clientId, inbox)
      return inbox
    },
    /**
     * Closes inboxes whose session has ended: no client can read them. Called every second; each inbox is checked at
     * least once a minute.
     */
    sweep(sessionOf: (clientId: string) => Session | undefined): void {
      const most = Math.min(inboxes.size, FEW + inboxes.size / SHARE)
      for (let looked = 0; looked < most; looked++) {
        let { value: inbox } = walk.next()
        if (inbox === undefined) {
          walk = inboxes.values()
          inbox = walk.next().value!
        }
        const session = sessionOf(inbox.clientId)
        if (session !== undefined && keyOf(session) === inbox.key) continue
        inbox.log.close()
        inboxes.delete(inbox.clientId)
      }
    },
  }
}

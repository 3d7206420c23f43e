/**
 * Rights to reply: a client that has received a private message may answer it once, to its sender alone, although no
 * grant lets it send to that client (docs/protocol.md#permissions). They are in memory, and bounded: the oldest are
 * forgotten.
 */
import type { Metrics } from '../observability/metrics.ts'
import type { Inbox } from '../state/inboxes.ts'

/** The right to answer one message. */
export type ReplyRight = {
  /** Whose message it is: the inbox of that session, so that a later client of its id has no part in it. */
  readonly sender: Pick<Inbox, 'clientId' | 'key'>
  /** The id of the answer, once it was sent: the same message may be sent again, another one not. */
  usedBy: string | undefined
}

/** The rights of all clients, by the inbox that received the message and the id of the message. */
export class ReplyRights {
  readonly #rights = new Map<string, ReplyRight>()
  readonly #most: number
  readonly #metrics: Pick<Metrics, 'limit'>

  constructor(most: number, metrics: Pick<Metrics, 'limit'>) {
    this.#most = most
    this.#metrics = metrics
  }

  get size(): number {
    return this.#rights.size
  }

  /** The owner of this inbox may answer the message. */
  add(receiver: Inbox, messageId: string, { clientId, key }: Inbox): void {
    const id = keyOf(receiver, messageId)
    if (this.#rights.has(id)) return
    if (this.#rights.size >= this.#most) {
      this.#rights.delete(this.#rights.keys().next().value!)
      this.#metrics.limit('reply_rights')
    }
    this.#rights.set(id, { sender: { clientId, key }, usedBy: undefined })
  }

  /** The right of the owner of this inbox to send `reply` in answer to the message; undefined where it has none. */
  find(receiver: Inbox, messageId: string, reply: string): ReplyRight | undefined {
    const right = this.#rights.get(keyOf(receiver, messageId))
    return right?.usedBy === undefined || right.usedBy === reply ? right : undefined
  }
}

const keyOf = ({ clientId, key }: Inbox, messageId: string): string => `${clientId} ${key} ${messageId}`

/**
 * Private messages: into the inbox of every recipient and of the sender, acknowledged when all have it
 * (docs/protocol.md#private-messages).
 */
import {
  BUS,
  CodedError,
  type DurabilityLevel,
  type ParsedEnvelope,
  PM_CHANNEL,
  type Position,
} from '@arqonbus/protocol'
import { authorize, coverage, grantedFor, notGranted } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { everything } from '../auth/permissions.ts'
import type { Replies } from '../delivery/replies.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { Queue } from '../kit/queue.ts'
import type { AppendOutcome } from '../log/contract.ts'
import { awayError } from '../log/refusals.ts'
import type { PublishSpan } from '../observability/tracing/spans.ts'
import type { Inbox } from '../state/inboxes.ts'
import { type Client, countSubscribers, type Room } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { isLessThanAsked, isLower } from './ack-request.ts'
import { type BusLog, draftOf, malformed, type PublishDraft } from './draft.ts'
import type { OpenInbox, OwnInbox } from './inbox.ts'
import { refusePaused } from './refuse-paused.ts'
import type { ReplyRight, ReplyRights } from './reply-rights.ts'

/** What private messages need. */
export type PrivateDeps = {
  readonly resolver: Pick<RoomResolver, 'room'>
  readonly openInbox: OpenInbox
  readonly ownInbox: OwnInbox
  readonly replyRights: ReplyRights
  /** The identity of a client that is connected to this node. */
  readonly identityOf: (clientId: string) => Identity | undefined
  /** True for a client that has a session, connected or kept. */
  readonly isKnown: (clientId: string) => boolean
  /** True where the session of a client that is not known may be in a store that cannot be asked now. */
  readonly isUnsureOfSessions: () => boolean
  readonly replies: Replies
  readonly log: Pick<BusLog, 'durabilityOfAccepted'>
  readonly turns: Pick<FairQueue, 'run'>
  /**
   * Called once for each message that is new in the sender's inbox. `to` is the same for all that go to the same place.
   */
  readonly routed: (client: Client, envelope: ParsedEnvelope, to: unknown) => void
}

/** Creates the function that sends private messages; its result is that of `Publish`. */
export function createPrivate(deps: PrivateDeps) {
  const appendToAll = createAppends(deps.turns)

  return (client: Client, envelope: ParsedEnvelope, settled: () => void, span: PublishSpan | undefined): boolean => {
    if (envelope.channel !== PM_CHANNEL)
      throw malformed('/channel', '`pm`: private envelopes go to the channel pm of a room')
    const { identity } = client
    authorize(identity, 'send_private', envelope.room)
    const recipients = recipientsOf(envelope)
    // Before anything is looked up: a refusal says nothing about rooms and clients.
    const right = rightToSend(deps, client, envelope, recipients)
    // A private message creates no room: only its sender and its recipients learn of it.
    const room = deps.resolver.room(envelope.room)
    refusePaused(room)
    const unknown = recipients.filter((id) => !deps.isKnown(id))
    if (unknown.length > 0) throw notFound(unknown, deps.isUnsureOfSessions())

    const own = deps.ownInbox(client)
    const others = [...new Set(recipients)].filter((id) => id !== client.id).map((id) => deps.openInbox(id))
    if (right !== undefined) right.usedBy = envelope.id
    const message = new PrivateMessage(deps, { client, envelope, room, own, others, right, span, appendToAll })
    message.send()
    if (message.isSettled) return true
    message.onSettled = settled
    return false
  }
}

/**
 * Refuses recipients to which the grants of the sender allow no private messages. Returns the right to reply that it
 * uses in their place.
 */
function rightToSend(
  { ownInbox, openInbox, isKnown, replyRights }: PrivateDeps,
  client: Client,
  { id, room, metadata }: ParsedEnvelope,
  recipients: readonly string[],
): ReplyRight | undefined {
  const { identity } = client
  const lacking = recipients.filter((recipient) => !grantedFor(identity, 'private', recipient))
  if (lacking.length === 0) {
    const isInRoom = coverage(identity, 'join', room) !== 'none' || coverage(identity, 'publish', room) !== 'none'
    if (room !== BUS && !isInRoom) throw notGranted('join', room, PM_CHANNEL)
    return undefined
  }
  const [to] = recipients
  const isToOne = to !== undefined && recipients.every((recipient) => recipient === to)
  if (
    isToOne &&
    metadata?.cause !== undefined &&
    identity.isProven &&
    !identity.permissions.deniesClient('private', to)
  ) {
    const right = replyRights.find(ownInbox(client), metadata.cause, id)
    if (right?.sender.clientId === to && isKnown(to) && openInbox(to).key === right.sender.key) return right
  }
  throw new CodedError('forbidden', { client_ids: lacking, requires: 'private' })
}

/** What a private message is sent with. */
type Sending = {
  readonly client: Client
  readonly envelope: ParsedEnvelope
  readonly room: Room
  readonly own: Inbox
  readonly others: readonly Inbox[]
  /** The right to reply by which it is sent, where no grant allows it. */
  readonly right: ReplyRight | undefined
  readonly span: PublishSpan | undefined
  readonly appendToAll: ReturnType<typeof createAppends>
}

/**
 * A private message on its way, and what the logs of the inboxes have said of it so far.
 *
 * The sender's own inbox comes first. Everything that it sent is there, so an id that it has used before for something
 * else is refused by it, and then no recipient has the message. When the sender's inbox has it, the others get it; if
 * one of them does not, the outcome is unknown.
 */
class PrivateMessage {
  isSettled = false
  /** Called when it is settled, where `send` has returned before that. */
  onSettled: (() => void) | undefined
  readonly #deps: PrivateDeps
  readonly #sending: Sending
  readonly #ownDraft: PublishDraft
  readonly #otherDrafts: readonly PublishDraft[]
  /** Recipients whose log has not settled their part. */
  #waiting: number
  /** What the log of the sender's inbox said. */
  #position: Position | undefined
  #isDuplicate = false
  /**
   * Over all inboxes: whether one is queued or refused, the number of replicas that have all of them, and the lowest
   * level.
   */
  #isQueued = false
  #isPartial = false
  #replicas: number | undefined
  #level: DurabilityLevel | undefined

  constructor(deps: PrivateDeps, sending: Sending) {
    this.#deps = deps
    this.#sending = sending
    this.#waiting = sending.others.length
    this.#ownDraft = this.#draftOf(true, this.#ownSettled)
    this.#ownDraft.wantsPosition = true
    this.#otherDrafts = sending.others.map(() => this.#draftOf(false, this.#otherSettled))
  }

  /** Appends it to the sender's inbox, and to those of the recipients when it is in that. */
  send(): void {
    this.#sending.own.log.append(this.#ownDraft)
  }

  #draftOf(isOwnCopy: boolean, part: PublishDraft['part']): PublishDraft {
    const draft = draftOf(this.#sending.client, this.#sending.envelope, isOwnCopy)
    draft.part = part
    return draft
  }

  readonly #ownSettled = (outcome: AppendOutcome): void => {
    const { client, envelope, room, others, right, span, appendToAll } = this.#sending
    if (outcome.kind === 'refused' || outcome.kind === 'unknown') {
      span?.refused(outcome.error.code)
      if (right !== undefined && outcome.kind === 'refused') right.usedBy = undefined
      this.#deps.replies.refuseFrame(client, envelope, outcome.error)
      return this.#settle()
    }
    if (right === undefined && !this.#isDuplicate) this.#addReplyRights()
    this.#position = outcome.kind === 'queued' ? undefined : outcome.position
    this.#isDuplicate = outcome.kind === 'duplicate'
    room.hasPrivateMessages = true
    if (!this.#isDuplicate) this.#deps.routed(client, envelope, `${envelope.room}:${envelope.channel}`)
    this.#note(outcome)
    if (others.length === 0) return this.#finish()
    appendToAll(others, this.#otherDrafts)
  }

  /**
   * Recipients whose grants do not let them send to this client may answer once. Of one that is not connected the grants
   * are not known, but where nobody has any.
   */
  #addReplyRights(): void {
    const { client, envelope, own, others } = this.#sending
    const { replyRights, identityOf } = this.#deps
    for (const receiver of others) {
      const identity = identityOf(receiver.clientId)
      const mayAnswer =
        identity === undefined ? client.identity.permissions === everything : grantedFor(identity, 'private', client.id)
      if (!mayAnswer) replyRights.add(receiver, envelope.id, own)
    }
  }

  readonly #otherSettled = (outcome: AppendOutcome): void => {
    this.#note(outcome)
    if (--this.#waiting === 0) this.#finish()
  }

  #note(outcome: AppendOutcome): void {
    if (outcome.kind === 'refused' || outcome.kind === 'unknown') this.#isPartial = true
    else if (outcome.kind === 'queued') this.#isQueued = true
    else {
      // The first one of a duplicate may be queued.
      if (outcome.kind === 'duplicate' && outcome.position === undefined) this.#isQueued = true
      const { replicas, level } = outcome
      if (replicas !== undefined) this.#replicas = Math.min(replicas, this.#replicas ?? replicas)
      if (level !== undefined && (this.#level === undefined || isLower(level, this.#level))) this.#level = level
    }
  }

  #finish(): void {
    const { client, envelope, own, others, span } = this.#sending
    const [position, replicas, level] = [this.#position, this.#replicas, this.#level]
    if (this.#isPartial || isLessThanAsked(envelope, { replicas, level })) {
      span?.refused('outcome_unknown')
      this.#deps.replies.refuseFrame(client, envelope, new CodedError('outcome_unknown'))
      return this.#settle()
    }
    span?.taken(this.#isDuplicate ? 'duplicate' : this.#isQueued ? 'held' : 'appended', position)
    if (this.#ownDraft.getsAcknowledgement) {
      const result = {
        position: position ?? null,
        durability: this.#isQueued ? 'memory' : (level ?? this.#deps.log.durabilityOfAccepted()),
        replicas,
        duplicate: this.#isDuplicate,
        // Whether a client is there is for those who may see it.
        recipients: others.every(({ clientId }) => grantedFor(client.identity, 'presence', clientId))
          ? countSubscribers([own, ...others].map(({ feed }) => feed))
          : undefined,
      } as const
      this.#deps.replies.acknowledge(client, envelope.id, result, [own.feed])
    }
    this.#settle()
  }

  #settle(): void {
    this.isSettled = true
    this.onSettled?.()
  }
}

/**
 * Copies of this many characters altogether are appended in one piece of work: to write, keep and send one of 256 KiB
 * takes a third of a millisecond.
 */
const CHARACTERS_PER_PIECE = 256 * 1024

/**
 * Appends the parts of messages to inboxes: at once where they are short, else over several turns of the loop, and each
 * message behind the one before it.
 */
function createAppends(turns: Pick<FairQueue, 'run'>) {
  const waiting = new Queue<{ readonly inbox: Inbox; readonly draft: PublishDraft }>()
  let isAppending = false

  function* appendWaiting(): Pieces<void> {
    let characters = 0
    try {
      while (waiting.length > 0) {
        const { inbox, draft } = waiting.shift()!
        inbox.log.append(draft)
        characters += draft.envelope.payloadText.length
        if (characters < CHARACTERS_PER_PIECE) continue
        characters = 0
        yield
      }
    } finally {
      isAppending = false
    }
  }

  return (inboxes: readonly Inbox[], drafts: readonly PublishDraft[]): void => {
    const characters = drafts.length * drafts[0]!.envelope.payloadText.length
    if (!isAppending && characters < CHARACTERS_PER_PIECE)
      return inboxes.forEach((inbox, i) => inbox.log.append(drafts[i]!))
    inboxes.forEach((inbox, i) => waiting.push({ inbox, draft: drafts[i]! }))
    if (isAppending) return
    isAppending = true
    void turns.run(appendWaiting)
  }
}

const notFound = (unknown: readonly string[], isUnsure: boolean): CodedError =>
  isUnsure ? awayError({ client_ids: unknown }) : new CodedError('client_not_found', { client_ids: unknown })

function recipientsOf(envelope: ParsedEnvelope): readonly string[] {
  const to = envelope.metadata?.to
  if (to === undefined) throw malformed('/metadata/to', 'the recipients: a client id, or a list of up to 32')
  return typeof to === 'string' ? [to] : to
}

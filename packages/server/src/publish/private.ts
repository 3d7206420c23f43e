/** Private messages: into the inbox of every recipient and of the sender, acknowledged when all have it (protocol §4). */
import {
  CodedError,
  type DurabilityLevel,
  type ParsedEnvelope,
  PM_CHANNEL,
  type Position,
  type PublishResult,
  TELEMETRY_ROOM,
} from '@arqonbus/protocol'
import type { Replies } from '../delivery/replies.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { Queue } from '../kit/queue.ts'
import type { PublishSpan } from '../observability/tracing/spans.ts'
import type { Inbox } from '../state/inboxes.ts'
import { type Client, countSubscribers } from '../state/model.ts'
import { isLessThanAsked, isLower } from './ack-request.ts'
import { type DraftOf, malformed, type PrivatePart, type PublishDraft } from './draft.ts'
import type { OpenInbox, OwnInbox } from './inbox.ts'

/** What private messages need. */
export type PrivateDeps = {
  readonly openInbox: OpenInbox
  readonly ownInbox: OwnInbox
  /** True for a client that has a session, connected or kept. */
  readonly isKnown: (clientId: string) => boolean
  /** True where the session of a client that is not known may be in a store that cannot be asked now. */
  readonly isUnsureOfSessions: () => boolean
  readonly answers: Replies
  readonly log: { durabilityOfAccepted(): PublishResult['durability'] }
  readonly draftOf: DraftOf
  readonly turns: Pick<FairQueue, 'run'>
  /** Hears of each message that was taken, once. `to` is the same for all that go to the same place. */
  readonly routed: (client: Client, envelope: ParsedEnvelope, to: unknown) => void
}

/** Makes the function that sends one; its result is that of `Publish`. */
export function createPrivate(deps: PrivateDeps) {
  const { answers } = deps

  const appendToAll = createAppends(deps.turns)

  return (client: Client, envelope: ParsedEnvelope, settled: () => void, span: PublishSpan | undefined): boolean => {
    if (envelope.channel !== PM_CHANNEL)
      throw malformed('/channel', '`pm`: private envelopes go to the channel pm of a room')
    if (envelope.room === TELEMETRY_ROOM)
      throw new CodedError('system_channel', { channel: `${envelope.room}:${PM_CHANNEL}` })
    const recipients = recipientsOf(envelope)
    const unknown = recipients.filter((id) => !deps.isKnown(id))
    if (unknown.length > 0) throw notFound(unknown, deps.isUnsureOfSessions())

    const own = deps.ownInbox(client)
    const others = [...new Set(recipients)].filter((id) => id !== client.id).map((id) => deps.openInbox(id))
    let isSettled = false
    let isLater = false
    const ended = () => {
      isSettled = true
      if (isLater) settled()
    }
    send(client, envelope, own, others, ended, span)
    isLater = true
    return isSettled
  }

  /**
   * The sender's own inbox first. Everything that it sent is there, so an id that it has used before for something else is refused by it, and then no
   * recipient has the message. When it has taken the message, the others get it; if one of them does not, nobody can say any more that it was refused.
   */
  function send(
    client: Client,
    envelope: ParsedEnvelope,
    own: Inbox,
    others: readonly Inbox[],
    settled: () => void,
    span: PublishSpan | undefined,
  ): void {
    let waiting = others.length
    let taken: Taken | undefined
    let isPartial = false
    /** What is true of all inboxes: whether each has it in its log, how many replicas have all of them, and the lowest level. */
    let isHeld = false
    let replicas: number | undefined
    let level: DurabilityLevel | undefined

    const finish = () => {
      const isUnknown = isPartial || isLessThanAsked(envelope, replicas, level)
      if (isUnknown) span?.refused('outcome_unknown')
      else span?.taken(taken?.duplicate ? 'duplicate' : isHeld ? 'held' : 'appended', taken?.position)
      if (isUnknown) answers.refuseMessage(client, envelope, new CodedError('outcome_unknown'))
      else if (taken !== undefined && ownDraft.isAnswered) {
        const result = {
          position: taken.position ?? null,
          durability: isHeld ? 'memory' : (level ?? deps.log.durabilityOfAccepted()),
          replicas,
          duplicate: taken.duplicate,
          recipients: countSubscribers([own, ...others].map(({ feed }) => feed)),
        } as const
        answers.acknowledge(client, envelope.id, result, [own.feed])
      }
      settled()
    }
    const oneTaken = (position: Position | undefined, has: number | undefined, at: DurabilityLevel | undefined) => {
      isHeld ||= position === undefined
      if (has !== undefined) replicas = Math.min(has, replicas ?? has)
      if (at !== undefined && (level === undefined || isLower(at, level))) level = at
    }
    const ownTaken: PrivatePart['taken'] = (position, duplicate, has, at) => {
      taken = { position, duplicate }
      if (!duplicate) deps.routed(client, envelope, envelope.room)
      oneTaken(position, has, at)
      if (others.length === 0) return finish()
      appendToAll(others, theirDrafts)
    }
    const theirsSettled = () => {
      if (--waiting === 0) finish()
    }
    const theirs: PrivatePart = {
      taken(position, _duplicate, has, at) {
        oneTaken(position, has, at)
        theirsSettled()
      },
      refused() {
        isPartial = true
        theirsSettled()
      },
    }
    const ownDraft = deps.draftOf(client, envelope, true, {
      taken: ownTaken,
      refused(error) {
        span?.refused(error.code)
        answers.refuseMessage(client, envelope, error)
        settled()
      },
    })
    const theirDrafts = others.map(() => deps.draftOf(client, envelope, false, theirs))
    own.log.append(ownDraft)
  }
}

/** Copies of so many characters altogether are appended in one piece: to write, keep and send one of 256 KiB takes a third of a millisecond. */
const PIECE = 256 * 1024

/** Appends the parts of messages to inboxes: at once where they are short, else over several turns of the loop, and each message behind the one before it. */
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
        if (characters < PIECE) continue
        characters = 0
        yield
      }
    } finally {
      isAppending = false
    }
  }

  return (inboxes: readonly Inbox[], drafts: readonly PublishDraft[]): void => {
    const characters = drafts.length * drafts[0]!.envelope.payloadText.length
    if (!isAppending && characters < PIECE) return inboxes.forEach((inbox, i) => inbox.log.append(drafts[i]!))
    inboxes.forEach((inbox, i) => waiting.push({ inbox, draft: drafts[i]! }))
    if (isAppending) return
    isAppending = true
    void turns.run(appendWaiting)
  }
}

/** When to try again while sessions cannot be asked for. */
const RETRY_AFTER_MS = 1000

const notFound = (unknown: readonly string[], isUnsure: boolean): CodedError =>
  isUnsure
    ? new CodedError('storage_unavailable', { client_ids: unknown }, RETRY_AFTER_MS)
    : new CodedError('client_not_found', { client_ids: unknown })

/** What the sender's inbox said. */
type Taken = { readonly position: Position | undefined; readonly duplicate: boolean }

function recipientsOf(envelope: ParsedEnvelope): readonly string[] {
  const to = envelope.metadata?.to
  if (to === undefined) throw malformed('/metadata/to', 'the recipients: a client id, or a list of up to 32')
  return typeof to === 'string' ? [to] : to
}

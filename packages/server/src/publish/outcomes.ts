/**
 * What a log says of messages becomes delivery, acknowledgements, refusals, counts and spans
 * (docs/protocol.md#publishing, docs/protocol.md#acknowledgement).
 */
import {
  CodedError,
  encodeProvisional,
  type MessageDeleted,
  type ParsedEnvelope,
  positionText,
} from '@arqonbus/protocol'
import { granted, readAction } from '../auth/access.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Replies } from '../delivery/replies.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { AppendOutcome, Entry, Log, LogListener } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Client, countSubscribers, type Feed } from '../state/model.ts'
import type { Traffic } from '../state/traffic.ts'
import { isLessThanAsked } from './ack-request.ts'
import type { BusLog, PublishDraft } from './draft.ts'
import { endSpan } from './traced.ts'

/** What the outcomes of messages need. */
type OutcomeDeps = {
  readonly log: BusLog
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'appends'>
  readonly delivery: Delivery
  readonly replies: Replies
  /** Counts a message of a feed. */
  readonly traffic: Pick<Traffic, 'count'>
  /** Notifies subscribers of a gap in a log. */
  readonly broke: LogListener<readonly Feed[], PublishDraft>['gap']
  /** Adds messages to the queues of webhooks; undefined while none wants any. */
  readonly webhooks: { readonly onMessage: ((feed: Feed, entry: Entry) => void) | undefined }
  /** Puts a tombstone in place of a message that is kept for slow subscribers. */
  readonly redactTail: (log: Log, tombstone: Entry) => void
  readonly frames: Pick<Frames, 'envelope'>
  /** Called once for each message that is new in its log. `to` is the same for all that go to the same place. */
  readonly routed: (client: Client, envelope: ParsedEnvelope, to: unknown) => void
}

/** An outcome after which the message is in a log, or will be. */
type Accepted = Extract<AppendOutcome, { kind: 'appended' | 'duplicate' | 'queued' }>

/** What is known of a queued message besides that. */
const QUEUED = { position: undefined, replicas: undefined, level: undefined }

const mayCount = ({ identity }: Client, { room, channel }: ParsedEnvelope): boolean =>
  granted(identity, readAction(room), room, channel)

/** Listens to the log of a bus: an entry is delivered and its sender acknowledged in one tick, own copy first. */
export function listenToLog(deps: OutcomeDeps): void {
  const { log, clock, metrics, delivery, replies, traffic, broke, redactTail, frames, routed, webhooks } = deps
  const { appends } = metrics

  const acknowledge = (feeds: readonly Feed[], { client, envelope }: PublishDraft, outcome: Accepted) => {
    // It is in the log, but not at the level that the sender asked for: publishing the same id again settles it.
    if (outcome.kind !== 'queued' && isLessThanAsked(envelope, outcome))
      return replies.refuseFrame(client, envelope, new CodedError('outcome_unknown'))
    const { position, replicas, level } = outcome.kind === 'queued' ? QUEUED : outcome
    const result = {
      position: position ?? null,
      // The first one of a duplicate may be queued.
      durability: position === undefined ? 'memory' : (level ?? log.durabilityOfAccepted()),
      replicas,
      duplicate: outcome.kind === 'duplicate',
      // A count of who hears it is for those who may hear it too.
      recipients: mayCount(client, envelope) ? countSubscribers(feeds) : undefined,
    }
    replies.acknowledge(client, envelope.id, result, feeds)
  }

  const reply = (feeds: readonly Feed[], draft: PublishDraft, outcome: AppendOutcome) => {
    if (outcome.kind === 'refused' || outcome.kind === 'unknown')
      return replies.refuseFrame(draft.client, draft.envelope, outcome.error)
    const isDuplicate = outcome.kind === 'duplicate'
    if (!isDuplicate) routed(draft.client, draft.envelope, feeds[0])
    if (draft.getsAcknowledgement || isDuplicate) acknowledge(feeds, draft, outcome)
  }

  /**
   * True where the acknowledgement is sent in place of the sender's own copy. That of a private message waits for all
   * inboxes: where these settle later, other messages would come ahead of it, and there would be a hole in the sender's
   * count.
   */
  const isReplyTheCopy = ({ client, part }: PublishDraft): boolean =>
    !client.echo && (part === undefined || log.isImmediate)

  log.listen({
    delivered(feeds, entry, draft) {
      const feed = feeds[0]!
      traffic.count(feed)
      if (webhooks.onMessage !== undefined) webhooks.onMessage(feed, entry)
      delivery.publish(feeds, entry, draft !== undefined && isReplyTheCopy(draft) ? draft.client : undefined)
    },
    settled(feeds, draft, outcome) {
      if (outcome.kind === 'queued')
        delivery.publish(feeds, { text: encodeProvisional(draft.envelope, isoTime(clock.now())) })
      appends[outcome.kind === 'unknown' ? 'refused' : outcome.kind]++
      endSpan(draft, outcome)
      if (draft.part !== undefined) draft.part(outcome)
      else reply(feeds, draft, outcome)
      draft.outcome = outcome
      draft.onSettled?.()
    },
    gap: broke,
    redacted(feeds, log, position, tombstone) {
      // Those who are slow get the tombstone, and those who have the message the notice.
      if (tombstone !== undefined) redactTail(log, tombstone)
      const notice: MessageDeleted = { event: 'message_deleted', position: positionText(position) }
      delivery.publish(feeds, { text: frames.envelope('system', feeds[0]!.address, JSON.stringify(notice)) })
    },
  })
}

/**
 * Publish: a message goes into its log, and what the log says becomes delivery and answer (protocol §4, §5).
 *
 * The log is the one place where messages get their order. What it has taken is delivered and acknowledged in one tick, own copy first.
 */
import {
  CodedError,
  type DurabilityLevel,
  encodeProvisional,
  type ParsedEnvelope,
  PM_CHANNEL,
  type Position,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import type { Delivery } from '../delivery/deliver.ts'
import type { GapNotices } from '../delivery/gaps.ts'
import type { Replies } from '../delivery/replies.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { Entry, Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Taking, TracePublish } from '../observability/tracing/spans.ts'
import { type Channel, type Client, countSubscribers, type Feed, type Room } from '../state/model.ts'
import { askerOf, type RoomResolver } from '../state/resolve.ts'
import { askedLevel, askedReplicas, isLessThanAsked, isLower } from './ack-request.ts'
import { type BusLog, type DraftOf, malformed, type Publish, type PublishDraft } from './draft.ts'
import { createPrivate, type PrivateDeps } from './private.ts'
import { endSpan, type PublishWithSpan, traced } from './traced.ts'

/** What publishing needs. */
export type PublishDeps = Pick<
  PrivateDeps,
  'openInbox' | 'ownInbox' | 'isKnown' | 'isUnsureOfSessions' | 'routed' | 'turns'
> & {
  readonly log: BusLog
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'appends'>
  readonly places: RoomResolver
  readonly delivery: Delivery
  readonly answers: Replies
  readonly gaps: GapNotices
  /** The room of a private message, where there is one. */
  readonly roomOf: (name: string) => Room | undefined
  /** Messages that a channel keeps where it does not say so itself. */
  readonly historySize: number
  /** Has the record of a room, or of one of its channels, written again; undefined where these are not kept. */
  readonly placeChanged: ((address: { readonly room: string; readonly channel: string }) => void) | undefined
  /** Begins the span of a message, where there are traces. */
  readonly trace: TracePublish | undefined
}

/** Makes it, and listens to the log. */
export function createPublish(deps: PublishDeps): Publish {
  const { log, clock, places, delivery, answers } = deps
  const { appends } = deps.metrics

  const settle = (draft: PublishDraft) => {
    draft.isSettled = true
    draft.settled?.()
  }
  const acknowledge = (
    draft: PublishDraft,
    position: Position | undefined,
    duplicate: boolean,
    feeds: readonly Feed[],
    replicas?: number,
    level?: DurabilityLevel,
  ) => {
    // It is in the log, but not where the sender wants it: the same id again settles it.
    if (isLessThanAsked(draft.envelope, replicas, level))
      return answers.refuseMessage(draft.client, draft.envelope, new CodedError('outcome_unknown'))
    const result = {
      position: position ?? null,
      durability: position === undefined ? 'memory' : (level ?? log.durabilityOfAccepted()),
      replicas,
      duplicate,
      recipients: countSubscribers(feeds),
    }
    answers.acknowledge(draft.client, draft.envelope.id, result, feeds)
  }

  /** A sender that gets an acknowledgement in place of its own copy gets no copy. */
  const deliver = (feeds: readonly Feed[], entry: Entry, draft: PublishDraft | undefined) => {
    delivery.broadcast(feeds, entry, draft !== undefined && isAnswerTheCopy(draft) ? draft.client : undefined)
  }

  /** A log has it: that is counted, traced, reported and answered, and the draft is done. */
  const taken = (
    how: Taking,
    feeds: readonly Feed[],
    position: Position | undefined,
    draft: PublishDraft,
    replicas?: number,
    level?: DurabilityLevel,
  ) => {
    const isDuplicate = how === 'duplicate'
    appends[how]++
    endSpan(draft, how, position, replicas, level)
    if (draft.part !== undefined) draft.part.taken(position, isDuplicate, replicas, level)
    else {
      if (!isDuplicate) deps.routed(draft.client, draft.envelope, feeds[0])
      if (draft.isAnswered || isDuplicate) acknowledge(draft, position, isDuplicate, feeds, replicas, level)
    }
    settle(draft)
  }

  log.listen({
    announced: deliver,
    appended(feeds, entry, draft, replicas, level) {
      deliver(feeds, entry, draft)
      if (draft !== undefined) taken('appended', feeds, entry, draft, replicas, level)
    },
    confirmed: (feeds, position, draft, replicas, level) => taken('appended', feeds, position, draft, replicas, level),
    duplicate: (feeds, position, draft, replicas, level) => taken('duplicate', feeds, position, draft, replicas, level),
    held(feeds, draft) {
      delivery.broadcast(feeds, { text: encodeProvisional(draft.envelope, isoTime(clock.now())) })
      taken('held', feeds, undefined, draft)
    },
    refused(_feeds, error, draft) {
      appends.refused++
      draft.span?.refused(error.code)
      if (draft.part !== undefined) draft.part.refused(error)
      else answers.refuseMessage(draft.client, draft.envelope, error)
      settle(draft)
    },
    gap: deps.gaps.broke,
  })

  /**
   * True where the acknowledgement stands in place of the sender's own copy. That of a private message waits for all inboxes: where they answer later, other
   * messages would come ahead of it, and there would be a hole in the sender's count.
   */
  const isAnswerTheCopy = ({ client, part }: PublishDraft): boolean =>
    !client.echo && (part === undefined || log.isImmediate)

  const append = (log: Log<PublishDraft>, draft: PublishDraft, settled: () => void): boolean => {
    log.append(draft)
    if (draft.isSettled) return true
    draft.settled = settled
    return false
  }
  /** A place that holds nothing may have been taken out of the store by another server, where nobody used it: it is written again, ahead of the message. */
  const keepFound = (log: Log, envelope: ParsedEnvelope, size = deps.historySize): void => {
    if (deps.placeChanged !== undefined && size > 0 && log.isEmpty()) deps.placeChanged(envelope)
  }
  const draftOf: DraftOf = (client, envelope, isOwnCopy, part, channelLevel, span, arrivedAt) => {
    // A caller by HTTP waits for the outcome.
    const isAcknowledged = isAskedToAcknowledge(envelope) || client.caller !== undefined
    const requiresDurability = isMore(askedLevel(envelope)) || isMore(channelLevel) || askedReplicas(envelope) > 0
    // In place of its own copy the sender gets an acknowledgement, so that its count of `n` has no hole.
    const isAnswered = isAcknowledged || (isOwnCopy && !client.echo)
    return {
      client,
      envelope,
      deduplicated: isAcknowledged,
      requiresDurability,
      arrivedAt,
      isAnswered,
      part,
      span,
      settled: undefined,
      isSettled: false,
    }
  }

  /** Most publish where they published before: to compare two names is cheaper than to look up two. */
  const channelOf = (client: Client, { room, channel }: ParsedEnvelope): Channel => {
    const last = client.lastChannel
    if (last !== undefined && last.name === channel && last.room.name === room && last.ended === undefined) return last
    client.lastChannel = places.resolveOrCreateChannel(room, channel, askerOf(client), { check: refusePaused })
    return client.lastChannel
  }

  const sendPrivate = createPrivate({ ...deps, draftOf })

  const publish: PublishWithSpan = (client, envelope, now, settled, span) => {
    checkAcknowledge(envelope, log)
    if (envelope.type === 'private') {
      refusePaused(deps.roomOf(envelope.room))
      return sendPrivate(client, envelope, settled, span)
    }
    if (envelope.channel === PM_CHANNEL)
      throw malformed('/channel', 'a channel other than `pm`, which is for `private` envelopes')
    if (envelope.channel === WHOLE_ROOM) {
      const room = places.resolveOrCreateRoom(envelope.room, askerOf(client))
      if (room.broadcast === undefined) throw new CodedError('system_channel', { channel: `${room.name}:*` })
      refusePaused(room)
      room.lastUsed = now
      keepFound(room.broadcast, envelope)
      const isOwnCopy = room.present.has(client)
      const draft = draftOf(client, envelope, isOwnCopy, undefined, undefined, span, now)
      return append(room.broadcast as Log<PublishDraft>, draft, settled)
    }
    const channel = channelOf(client, envelope)
    // Everybody reads a system channel; what is said there is the bus's, and of configured ones the admins'.
    if (channel.log === undefined || (channel.type === 'system' && client.role !== 'admin')) {
      throw new CodedError('system_channel', { channel: channel.address })
    }
    refusePaused(channel.room)
    const level = channel.options?.durability
    checkLevel(level, 0, log)
    channel.lastUsed = now
    keepFound(channel.log, envelope, channel.options?.history_size)
    const isOwnCopy = client.channels.has(channel) || client.rooms.has(channel.room)
    const draft = draftOf(client, envelope, isOwnCopy, undefined, level, span, now)
    return append(channel.log as Log<PublishDraft>, draft, settled)
  }
  return deps.trace === undefined ? publish : traced(publish, deps.trace)
}

function refusePaused(room: Room | undefined): void {
  if (room?.state === 'paused') throw new CodedError('room_paused', { room: room.name })
}

function isAskedToAcknowledge({ metadata }: ParsedEnvelope): boolean {
  return metadata?.ack !== undefined && metadata.ack !== false
}

const isMore = (level: DurabilityLevel | undefined): boolean => level !== undefined && level !== 'memory'

/** `storage_unavailable` where what the sender asks for cannot be had. */
function checkAcknowledge(envelope: ParsedEnvelope, log: BusLog): void {
  if (envelope.metadata?.ack !== undefined) checkLevel(askedLevel(envelope), askedReplicas(envelope), log)
}

/** Nobody is told a level that is not true. */
function checkLevel(level: DurabilityLevel | undefined, replicas: number, log: BusLog): void {
  if (replicas === 0 && !isMore(level)) return
  const best = log.durability()
  const available = { level: best, replicas: log.replicas() }
  if (!isLower(best, level) && replicas <= available.replicas) return
  const asked = { level: level ?? 'memory', replicas }
  throw new CodedError('storage_unavailable', { asked, available }, log.isAway ? RETRY_AFTER_MS : undefined)
}

/** When to try again while the log is away. */
const RETRY_AFTER_MS = 1000

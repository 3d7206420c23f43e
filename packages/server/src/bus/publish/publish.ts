/**
 * Publish: a message goes into its log, and what the log says becomes delivery and answer (protocol §4, §5).
 *
 * The log is the one place where messages get their order. What it has taken is delivered and acknowledged in one tick, own copy first.
 */
import {
  CodedError,
  type DurabilityLevel,
  durabilityLevels,
  PM_CHANNEL,
  type Position,
  provisional,
  type ReadEnvelope,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { type Clock, isoTime } from '../../kit/clock.ts'
import type { Log } from '../../log/contract.ts'
import type { Channel, Client, Outlet, Room } from '../../state/model.ts'
import type { Answers } from '../deliver/answers.ts'
import type { Delivery } from '../deliver/deliver.ts'
import type { GapNotices } from '../deliver/gaps.ts'
import { askerOf, type Places } from '../places/places.ts'
import { askedReplicas, type BusLog, countListeners, type DraftOf, malformed, type PublishDraft } from './draft.ts'
import { createPrivate, type PrivateDeps } from './private.ts'

/** What publishing needs. */
export type PublishDeps = Pick<PrivateDeps, 'openInbox' | 'ownInbox' | 'isKnown'> & {
  readonly log: BusLog
  readonly clock: Clock
  readonly places: Places
  readonly delivery: Delivery
  readonly answers: Answers
  readonly gaps: GapNotices
  /** The room of a private message, where there is one. */
  readonly roomOf: (name: string) => Room | undefined
}

/** Publishes an accepted `event` or `private` envelope. True where the log has answered already; else `settled` is called when it does. */
export type Publish = (client: Client, envelope: ReadEnvelope, now: number, settled: () => void) => boolean

/** Makes it, and listens to the log. */
export function createPublish(deps: PublishDeps): Publish {
  const { log, clock, places, delivery, answers } = deps

  const settle = (draft: PublishDraft) => {
    draft.isSettled = true
    draft.settled?.()
  }
  const acknowledge = (
    draft: PublishDraft,
    position: Position | undefined,
    duplicate: boolean,
    outlets: readonly Outlet[],
    replicas?: number,
  ) => {
    // It is in the log, but not where the sender wants it: the same id again settles it.
    if (replicas !== undefined && replicas < askedReplicas(draft.envelope))
      return answers.refuseMessage(draft.client, draft.envelope, new CodedError('outcome_unknown'))
    answers.acknowledge(draft.client, draft.envelope.id, {
      position: position ?? null,
      durability: position === undefined ? 'memory' : log.takenAt(),
      replicas,
      duplicate,
      recipients: countListeners(outlets),
    })
  }

  log.listen({
    appended(outlets, entry, draft, replicas) {
      deps.gaps.before(outlets, entry)
      delivery.toOutlets(outlets, entry.text, draft !== undefined && isAnswerTheCopy(draft) ? draft.client : undefined)
      if (draft === undefined) return
      if (draft.part !== undefined) draft.part.taken(entry, false, replicas)
      else if (draft.isAnswered) acknowledge(draft, entry, false, outlets, replicas)
      settle(draft)
    },
    confirmed(outlets, position, draft, replicas) {
      if (draft.part !== undefined) draft.part.taken(position, false, replicas)
      else if (draft.isAnswered) acknowledge(draft, position, false, outlets, replicas)
      settle(draft)
    },
    repeated(outlets, position, draft, replicas) {
      if (draft.part !== undefined) draft.part.taken(position, true, replicas)
      else acknowledge(draft, position, true, outlets, replicas)
      settle(draft)
    },
    held(outlets, draft) {
      delivery.toOutlets(outlets, provisional(draft.envelope, isoTime(clock.now())))
      if (draft.part !== undefined) draft.part.taken(undefined, false)
      else if (draft.isAnswered) acknowledge(draft, undefined, false, outlets)
      settle(draft)
    },
    refused(_outlets, error, draft) {
      if (draft.part !== undefined) draft.part.refused(error)
      else answers.refuseMessage(draft.client, draft.envelope, error)
      settle(draft)
    },
    broke: deps.gaps.broke,
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
  const draftOf: DraftOf = (client, envelope, isOwnCopy, part, channelLevel) => {
    // Whoever calls by HTTP waits for what comes of it.
    const isAcknowledged = isAskedToAcknowledge(envelope) || client.caller !== undefined
    const mustBeStored = isMore(askedLevel(envelope)) || isMore(channelLevel) || askedReplicas(envelope) > 0
    // In place of its own copy the sender gets an acknowledgement, so that its count of `n` has no hole.
    const isAnswered = isAcknowledged || (isOwnCopy && !client.echo)
    return {
      client,
      envelope,
      remembered: isAcknowledged,
      mustBeStored,
      isAnswered,
      part,
      settled: undefined,
      isSettled: false,
    }
  }

  /** Most publish where they published before: to compare two names is cheaper than to look up two. */
  const channelOf = (client: Client, { room, channel }: ReadEnvelope): Channel => {
    const last = client.lastChannel
    if (last !== undefined && last.name === channel && last.room.name === room && !last.isDeleted) return last
    client.lastChannel = places.openChannel(room, channel, askerOf(client), refusePaused)
    return client.lastChannel
  }

  const sendPrivate = createPrivate({ ...deps, draftOf })

  return (client, envelope, now, settled) => {
    checkAcknowledge(envelope, log)
    if (envelope.type === 'private') {
      refusePaused(deps.roomOf(envelope.room))
      return sendPrivate(client, envelope, settled)
    }
    if (envelope.channel === PM_CHANNEL)
      throw malformed('/channel', 'a channel other than `pm`, which is for `private` envelopes')
    if (envelope.channel === WHOLE_ROOM) {
      const room = places.openRoom(envelope.room, askerOf(client))
      if (room.broadcast === undefined) throw new CodedError('system_channel', { channel: `${room.name}:*` })
      refusePaused(room)
      room.lastUsed = now
      return append(room.broadcast as Log<PublishDraft>, draftOf(client, envelope, room.present.has(client)), settled)
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
    const isOwnCopy = client.channels.has(channel) || client.rooms.has(channel.room)
    return append(channel.log as Log<PublishDraft>, draftOf(client, envelope, isOwnCopy, undefined, level), settled)
  }
}

function refusePaused(room: Room | undefined): void {
  if (room?.state === 'paused') throw new CodedError('room_paused', { room: room.name })
}

function isAskedToAcknowledge({ metadata }: ReadEnvelope): boolean {
  return metadata?.ack !== undefined && metadata.ack !== false
}

/** The level that the sender asks for. */
const askedLevel = ({ metadata }: ReadEnvelope): DurabilityLevel | undefined => {
  const ack = metadata?.ack
  return typeof ack === 'object' ? ack.level : typeof ack === 'string' ? ack : undefined
}
const isMore = (level: DurabilityLevel | undefined): boolean => level !== undefined && level !== 'memory'

/** `storage_unavailable` where what the sender asks for cannot be had. */
function checkAcknowledge(envelope: ReadEnvelope, log: BusLog): void {
  if (envelope.metadata?.ack !== undefined) checkLevel(askedLevel(envelope), askedReplicas(envelope), log)
}

/** Nobody is told a level that is not true. */
function checkLevel(level: DurabilityLevel | undefined, replicas: number, log: BusLog): void {
  if (replicas === 0 && !isMore(level)) return
  const best = log.durability()
  const available = { level: best, replicas: log.replicas() }
  const isLess = level !== undefined && durabilityLevels.indexOf(level) > durabilityLevels.indexOf(best)
  if (!isLess && replicas <= available.replicas) return
  const asked = { level: level ?? 'memory', replicas }
  throw new CodedError('storage_unavailable', { asked, available }, log.isAway ? RETRY_AFTER_MS : undefined)
}

/** When to try again while the log is away. */
const RETRY_AFTER_MS = 1000

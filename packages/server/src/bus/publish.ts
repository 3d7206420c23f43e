/**
 * Publish: a message goes into its log, and what the log says becomes delivery and answer (protocol §4, §5).
 *
 * The log is the one place where messages get their order. What it has taken is delivered and acknowledged in one tick, own copy first.
 */
import {
  CodedError,
  durabilityLevels,
  PM_CHANNEL,
  type Position,
  type ReadEnvelope,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import type { Log } from '../log/contract.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import type { Answers } from './answers.ts'
import type { Delivery } from './deliver.ts'
import { type BusLog, countListeners, malformed, type PrivatePart, type PublishDraft } from './draft.ts'
import type { GapNotices } from './gaps.ts'
import { askerOf, type Places } from './places.ts'
import { createPrivate, type PrivateDeps } from './private.ts'

/** What publishing needs. */
export type PublishDeps = Pick<PrivateDeps, 'inboxes' | 'isKnown'> & {
  readonly log: BusLog
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
  const { log, places, delivery, answers } = deps

  const settle = (draft: PublishDraft) => {
    draft.isSettled = true
    draft.settled?.()
  }
  const acknowledge = (draft: PublishDraft, position: Position, duplicate: boolean, recipients: number) => {
    answers.acknowledge(draft.client, draft.envelope.id, {
      position,
      durability: log.durability(),
      duplicate,
      recipients,
    })
  }

  log.listen({
    appended(outlets, entry, draft) {
      deps.gaps.before(outlets, entry)
      delivery.toOutlets(outlets, entry.text, draft !== undefined && isAnswerTheCopy(draft) ? draft.client : undefined)
      if (draft === undefined) return
      if (draft.part !== undefined) draft.part.appended(entry)
      else if (draft.isAnswered) acknowledge(draft, entry, false, countListeners(outlets))
      settle(draft)
    },
    repeated(outlets, position, draft) {
      if (draft.part !== undefined) draft.part.repeated(position)
      else acknowledge(draft, position, true, countListeners(outlets))
      settle(draft)
    },
    refused(_outlets, error, draft) {
      if (draft.part !== undefined) draft.part.refused(error)
      else answers.refuseMessage(draft.client, draft.envelope, error)
      settle(draft)
    },
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
  const draftOf = (client: Client, envelope: ReadEnvelope, isOwnCopy: boolean, part?: PrivatePart): PublishDraft => {
    const isAcknowledged = isAskedToAcknowledge(envelope)
    // In place of its own copy the sender gets an acknowledgement, so that its count of `n` has no hole.
    const isAnswered = isAcknowledged || (isOwnCopy && !client.echo)
    return { client, envelope, remembered: isAcknowledged, isAnswered, part, settled: undefined, isSettled: false }
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
    checkLevel(channel.options?.durability, 0, log)
    channel.lastUsed = now
    const isOwnCopy = client.channels.has(channel) || client.rooms.has(channel.room)
    return append(channel.log as Log<PublishDraft>, draftOf(client, envelope, isOwnCopy), settled)
  }
}

function refusePaused(room: Room | undefined): void {
  if (room?.state === 'paused') throw new CodedError('room_paused', { room: room.name })
}

function isAskedToAcknowledge({ metadata }: ReadEnvelope): boolean {
  return metadata?.ack !== undefined && metadata.ack !== false
}

/** `storage_unavailable` where the level that is asked for cannot be had. */
function checkAcknowledge({ metadata }: ReadEnvelope, log: BusLog): void {
  const ack = metadata?.ack
  if (typeof ack === 'string') checkLevel(ack, 0, log)
  else if (typeof ack === 'object') checkLevel(ack.level, ack.replicas ?? 0, log)
}

/** Nobody is told a level that is not true. */
function checkLevel(level: (typeof durabilityLevels)[number] | undefined, replicas: number, log: BusLog): void {
  const best = log.durability()
  if (replicas === 0 && (level === undefined || durabilityLevels.indexOf(level) <= durabilityLevels.indexOf(best)))
    return
  throw new CodedError('storage_unavailable', {
    asked: { level: level ?? 'memory', replicas },
    available: { level: best, replicas: 0 },
  })
}

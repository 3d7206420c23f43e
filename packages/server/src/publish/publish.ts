/**
 * Publish: a message is checked, its channel or room is found, and it is appended to the log of that channel or room
 * (docs/protocol.md#publishing, docs/protocol.md#acknowledgement).
 *
 * The log is the one place where messages get their order. What follows from its outcome is in `outcomes.ts`.
 */
import { CodedError, type DurabilityLevel, type ParsedEnvelope, PM_CHANNEL, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize, requireGrant } from '../auth/access.ts'
import type { Log } from '../log/contract.ts'
import { AWAY_RETRY_AFTER_MS } from '../log/refusals.ts'
import type { PublishSpan, TracePublish } from '../observability/tracing/spans.ts'
import type { Channel, Client } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { askedLevel, askedReplicas, isLower, isMore } from './ack-request.ts'
import { appendTo, type BusLog, draftOf, malformed, type Publish, type PublishDraft } from './draft.ts'
import { createPrivate, type PrivateDeps } from './private.ts'
import { refusePaused } from './refuse-paused.ts'
import { type PublishWithSpan, traced } from './traced.ts'

/** What publishing needs. */
type PublishDeps = PrivateDeps & {
  readonly log: BusLog
  readonly resolver: RoomResolver
  /** Messages that a channel keeps where it does not say so itself. */
  readonly historySize: number
  /** Has the record of a room, or of one of its channels, written again; undefined where these are not kept. */
  readonly rewriteRecord: ((address: { readonly room: string; readonly channel: string }) => void) | undefined
  /** Begins the span of a message, where there are traces. */
  readonly trace: TracePublish | undefined
}

/** Creates `Publish` of a bus. What follows from the outcome of an append is in `outcomes.ts`. */
export function createPublish(deps: PublishDeps): Publish {
  const { log, resolver } = deps

  /**
   * Another server on which an empty channel was idle may have removed its record from the store: the record is written
   * again, ahead of the message.
   */
  const keepFound = (log: Log, envelope: ParsedEnvelope, size = deps.historySize): void => {
    if (deps.rewriteRecord !== undefined && size > 0 && log.isEmpty()) deps.rewriteRecord(envelope)
  }

  /**
   * Most publish where they published before: to compare two names is cheaper than to look up two and to ask for
   * permission again.
   */
  const channelOf = (client: Client, { room, channel }: ParsedEnvelope): Channel => {
    const last = client.lastChannel
    if (last !== undefined && last.name === channel && last.room.name === room && last.ended === undefined) return last
    requireGrant(client.identity, 'publish', room, channel)
    const found = resolver.resolveOrCreateChannel(room, channel, client.identity, {
      account: client.account,
      check: refusePaused,
    })
    authorize(client.identity, 'publish', found)
    client.lastChannel = found
    return found
  }

  const sendPrivate = createPrivate(deps)

  const publish: PublishWithSpan = (client, envelope, now, settled, span) => {
    checkAcknowledge(envelope, log)
    if (envelope.type === 'private') return sendPrivate(client, envelope, settled, span)
    if (envelope.channel === PM_CHANNEL)
      throw malformed('/channel', 'a channel other than `pm`, which is for `private` envelopes')
    if (envelope.channel === WHOLE_ROOM) {
      requireGrant(client.identity, 'publish', envelope.room, WHOLE_ROOM)
      const room = resolver.resolveOrCreateRoom(envelope.room, client.identity, client)
      authorize(client.identity, 'broadcast', room)
      const roomLog = room.broadcast as Log<PublishDraft>
      refusePaused(room)
      room.lastUsed = now
      keepFound(roomLog, envelope)
      const isOwnCopy = room.broadcastSubscriptions.has(client)
      const draft = draftOf(client, envelope, isOwnCopy)
      return appendTo(roomLog, arrived(draft, now, span), settled)
    }
    const channel = channelOf(client, envelope)
    const channelLog = channel.log as Log<PublishDraft>
    refusePaused(channel.room)
    const level = channel.options?.durability
    checkLevel(level, 0, log)
    channel.lastUsed = now
    keepFound(channelLog, envelope, channel.options?.history_size)
    const isOwnCopy = client.channels.has(channel) || client.rooms.has(channel.room)
    const draft = draftOf(client, envelope, isOwnCopy)
    if (isMore(level)) draft.requiresDurability = true
    return appendTo(channelLog, arrived(draft, now, span), settled)
  }
  return deps.trace === undefined ? publish : traced(publish, deps.trace)
}

/** Notes when a draft arrived, and its span. */
function arrived(draft: PublishDraft, now: number, span: PublishSpan | undefined): PublishDraft {
  draft.arrivedAt = now
  if (span === undefined) return draft
  draft.span = span
  draft.wantsPosition = true
  return draft
}

/** `storage_unavailable` where the log cannot give the level or the replicas that `metadata.ack` asks for, now. */
function checkAcknowledge(envelope: ParsedEnvelope, log: BusLog): void {
  if (envelope.metadata?.ack !== undefined) checkLevel(askedLevel(envelope), askedReplicas(envelope), log)
}

/** `storage_unavailable` where the log does not give this level, or has fewer replicas, now. */
function checkLevel(level: DurabilityLevel | undefined, replicas: number, log: BusLog): void {
  if (replicas === 0 && !isMore(level)) return
  const best = log.durability()
  const available = { level: best, replicas: log.replicas() }
  if (!isLower(best, level) && replicas <= available.replicas) return
  const asked = { level: level ?? 'memory', replicas }
  throw new CodedError('storage_unavailable', { asked, available }, log.isAway ? AWAY_RETRY_AFTER_MS : undefined)
}

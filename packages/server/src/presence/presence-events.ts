/**
 * Presence events: four a second for each place at most, of bounded length, whatever happens there
 * (docs/protocol.md#presence).
 */
import { may } from '../auth/access.ts'
import type { Frames } from '../delivery/frames.ts'
import { LOW_WATER_BYTES } from '../delivery/send-buffers.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import type { Metrics } from '../observability/metrics.ts'
import { listMembers } from './list-members.ts'
import { memberText } from './member.ts'
import { addressOf } from './place.ts'
import type { Statuses } from './statuses.ts'
import type { WatchedPlace, Watcher } from './watched-place.ts'

/** What sending events needs. */
export type PresenceEventsDeps = {
  readonly frames: Pick<Frames, 'envelope'>
  readonly metrics: Pick<Metrics, 'presenceFrames'>
  readonly turns: Pick<FairQueue, 'run'>
  readonly statuses: Statuses
  readonly clientsAfter: Parameters<typeof listMembers>[0]['clientsAfter']
}

/** An event has so much of changes; the rest waits for the next one. */
export const EVENT_BYTES = 32 * 1024
/** Watchers that one piece of work sends to. */
const STEPS = 64

/** Sends what has changed in a place to those that watch it; true where more is to be sent later. */
export function sendEvent(deps: PresenceEventsDeps, watched: WatchedPlace): boolean {
  if (watched.isSending) return true
  const { isCounting } = watched
  watched.isCounting = watched.decideToCount()
  const seq = watched.seq
  const isReset = isCounting && !watched.isCounting
  const text = watched.isCounting
    ? countText(deps, watched)
    : isReset
      ? resetText(deps, watched)
      : changesText(deps, watched)
  if (watched.isCounting || isReset) watched.forgetChanges()
  watched.isSending = true
  void deps.turns.run(() => sendToAll(deps, watched, { text, seq, isReset }))
  return watched.hasChanged || watched.isSending || hasBehind(watched)
}

/** What goes to the watchers: undefined where only those that are behind get something. */
type Sending = { readonly text: string | undefined; readonly seq: number; readonly isReset: boolean }

function* sendToAll(deps: PresenceEventsDeps, watched: WatchedPlace, sending: Sending): Pieces<void> {
  let steps = 0
  let whole: string | undefined
  const wholeText = () => {
    whole ??= watched.isCounting ? eventText(deps, watched, {}) : resetText(deps, watched)
    return whole
  }
  for (const watcher of [...watched.watchers.values()]) {
    if (watched.watchers.get(watcher.client) === watcher && mayBeTold(watcher, watched))
      sendTo(deps, watcher, sending, wholeText)
    if (++steps % STEPS === 0) yield
  }
  watched.isSending = false
}

/** True for a client that may still be told: its grants may have changed since it joined. */
const mayBeTold = ({ client }: Watcher, { place }: WatchedPlace): boolean =>
  !client.isClosing && may(client.identity, 'presence', place)

function sendTo(
  { metrics }: PresenceEventsDeps,
  watcher: Watcher,
  { text, seq, isReset }: Sending,
  whole: () => string,
) {
  const { client } = watcher
  // It came after all that the event says, and was given a list then.
  const isNews = text !== undefined && (watcher.seq < seq || isReset)
  if (!(isNews || watcher.isBehind)) return
  if (client.transport.bufferedBytes() >= LOW_WATER_BYTES) {
    watcher.isBehind = true
    return
  }
  metrics.presenceFrames++
  client.transport.send(watcher.isBehind ? whole() : text!)
  watcher.isBehind = false
}

function hasBehind({ watchers }: WatchedPlace): boolean {
  for (const { isBehind } of watchers.values()) if (isBehind) return true
  return false
}

function countText(deps: PresenceEventsDeps, watched: WatchedPlace): string | undefined {
  if (watched.count === watched.sentCount) return undefined
  watched.sentCount = watched.count
  return eventText(deps, watched, {})
}

/** The list as it is now. */
function resetText(deps: PresenceEventsDeps, watched: WatchedPlace): string {
  const { texts, cursor } = listMembers(deps, watched, { maxBytes: EVENT_BYTES })
  return eventText(deps, watched, { joined: texts, reset: true, cursor })
}

function changesText(deps: PresenceEventsDeps, watched: WatchedPlace): string | undefined {
  const lists: Record<'joined' | 'left' | 'updated', string[]> = { joined: [], left: [], updated: [] }
  let bytes = 0
  watched.takeChanges(({ what, member }) => {
    const text = what === 'left' ? JSON.stringify(member.id) : memberText(member, watched.place, deps.statuses)
    if (bytes > 0 && bytes + text.length > EVENT_BYTES) return false
    bytes += text.length
    lists[what].push(text)
    return true
  })
  return bytes === 0 ? undefined : eventText(deps, watched, lists)
}

type EventFields = {
  readonly joined?: readonly string[]
  readonly left?: readonly string[]
  readonly updated?: readonly string[]
  readonly reset?: true
  readonly cursor?: string | undefined
}

function eventText({ frames }: PresenceEventsDeps, { place, count }: WatchedPlace, fields: EventFields): string {
  const parts = [`"event":"presence","count":${count}`]
  if (fields.joined !== undefined)
    for (const name of ['joined', 'left', 'updated'] as const)
      parts.push(`"${name}":[${(fields[name] ?? []).join(',')}]`)
  if (fields.reset) parts.push('"reset":true')
  if (fields.cursor !== undefined) parts.push(`"cursor":"${fields.cursor}"`)
  return frames.envelope('system', addressOf(place), `{${parts.join(',')}}`)
}

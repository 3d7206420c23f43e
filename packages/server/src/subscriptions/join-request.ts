/** What a join asks for, and the result of it; reads the positions and ids in it. */
import { CodedError, type CommandResult, type DeliveryPolicy, type Position, parsePosition } from '@arqonbus/protocol'
import type { Pieces } from '../kit/fair-queue.ts'
import type { ChannelType } from '../state/model.ts'

/** What to join, and the last that one has. */
export type JoinRequest = {
  readonly room: string
  readonly channel: string
  readonly since?: string | Readonly<Record<string, string>> | undefined
  readonly since_id?: string | Readonly<Record<string, string>> | undefined
  readonly room_since?: string | undefined
  readonly room_since_id?: string | undefined
  /** The type that the channel has, as far as the client knows. */
  readonly type?: ChannelType | undefined
  readonly delivery?: 'all' | DeliveryPolicy | undefined
  readonly snapshot?: 'latest' | undefined
  readonly presence?: boolean | undefined
  readonly invisible?: boolean | undefined
}

/** What joining one address gave. */
export type JoinResult = Extract<CommandResult<'join_channel'>, { channel: string }>

/** Steps of one piece of work. */
export const STEPS = 64

/** Refuses a type where it is not one channel that is joined. */
export function refuseType({ type }: JoinRequest): void {
  if (type !== undefined) throw wrong('type', 'to be absent: it is for one channel')
}

/** Refuses what is asked of a subscription where there is none to be made, as for the inbox. */
export function refuseOptions(request: JoinRequest): void {
  for (const name of ['delivery', 'snapshot', 'presence', 'invisible'] as const)
    if (request[name] !== undefined) throw wrong(name, 'to be absent: it is for channels and rooms')
}

/** A position; `invalid_parameters` for a map. */
export function onePosition(since: JoinRequest['since'], name: string): Position | undefined {
  if (since === undefined) return undefined
  const position = typeof since === 'string' ? parsePosition(since) : undefined
  if (position === undefined) throw wrong(name, 'a position')
  return position
}

/** An id; `invalid_parameters` for a map. */
export function oneId(id: JoinRequest['since_id']): string | undefined {
  if (typeof id === 'object') throw wrong('since_id', 'an id')
  return id
}

/**
 * The ids of a map of channel to id. A Map, because channels may have the names that objects are born with:
 * `constructor`.
 */
export function idsByChannel(id: JoinRequest['since_id']): ReadonlyMap<string, string> {
  if (typeof id === 'string') throw wrong('since_id', 'a map of channel to id')
  return new Map(Object.entries(id ?? {}))
}

/** The positions of a map of channel to position. */
export function* positionsByChannel(since: JoinRequest['since']): Pieces<Map<string, Position> | undefined> {
  if (since === undefined) return undefined
  if (typeof since === 'string') throw wrong('since', 'a map of channel to position')
  const found = new Map<string, Position>()
  for (const channel of Object.keys(since)) {
    found.set(channel, onePosition(since[channel], `since/${channel}`)!)
    if (found.size % STEPS === 0) yield
  }
  return found
}

const wrong = (name: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { path: `/parameters/${name}`, expected })

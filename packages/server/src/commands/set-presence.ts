import { commands, MAX_STATUS_BYTES, memberText, PRESENCE_TTL_MS, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { RawJson } from '../kit/raw-json.ts'
import { copyText } from '../kit/text.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import { addressOf } from './address.ts'
import { type CommandCall, command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `set_presence`: what presence shows of the requester. */
export const setPresence = (deps: CommandDeps) =>
  command(commands.set_presence, (call) => {
    const { parameters, payloadText, requester, identity } = call
    const { ttl_ms: ttlMs } = parameters
    const text = parameters.status === null ? undefined : statusText(memberText(payloadText, 'parameters', 'status')!)
    // The address of the envelope is none of the status.
    const isForOne = parameters.channel !== undefined || parameters.room !== undefined
    const client = requester.kind === 'call' ? deps.clients.get(requester.id) : requester
    if (client === requester && ttlMs !== undefined)
      throw invalidParameter('ttl_ms', 'to be absent: it is for clients without a connection, by HTTP')
    const place = isForOne ? placeOf(deps, call) : undefined
    if (place !== undefined) authorize(identity, 'presence', place)
    if (client !== undefined && (place === undefined || hasJoined(client, place)))
      deps.presence.setStatus(client.id, place, text)
    else if (client === requester) throw invalidParameter('channel', 'a channel or a room that this client has joined')
    else setRemote(deps, requester, { place, ttlMs, text })
    return {
      ...(place !== undefined && { channel: textOf(place) }),
      status: text === undefined ? null : new RawJson(text),
    }
  })

/** The status as it was written. */
function statusText(written: string): string {
  if (Buffer.byteLength(written) > MAX_STATUS_BYTES)
    throw invalidParameter('status', `at most ${MAX_STATUS_BYTES} bytes of JSON`)
  return copyText(written)
}

function placeOf({ resolver }: CommandDeps, { parameters, address, identity }: CommandCall): Channel | Room {
  const { room, channel } = addressOf(parameters, { ...address, channel: WHOLE_ROOM })
  return channel === WHOLE_ROOM ? resolver.room(room) : resolver.channel(room, channel, identity)
}

const isChannel = (place: Channel | Room): place is Channel => 'participants' in place

const textOf = (place: Channel | Room): string => (isChannel(place) ? place.address : `${place.name}:${WHOLE_ROOM}`)

const hasJoined = (client: Client, place: Channel | Room): boolean =>
  isChannel(place) ? client.channels.has(place) : place.broadcastSubscriptions.has(client)

type Remote = {
  readonly place: Channel | Room | undefined
  readonly ttlMs: number | undefined
  readonly text: string | undefined
}

/** A client without a connection to the place says how long it is there. */
function setRemote({ presence }: CommandDeps, { id, profile }: Client, { place, ttlMs, text }: Remote): void {
  const { least } = PRESENCE_TTL_MS
  if (place === undefined) throw invalidParameter('channel', 'to be present, where the client has no connection')
  if (ttlMs === undefined || (ttlMs > 0 && ttlMs < least))
    throw invalidParameter('ttl_ms', `${least} or more, or 0, where the client has not joined the channel`)
  presence.setRemote({ id, profile }, place, { ttlMs, text })
}

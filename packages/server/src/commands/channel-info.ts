import { CodedError, commands, PM_CHANNEL, positionText, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize, granted } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { RawJson } from '../kit/raw-json.ts'
import type { Bounds } from '../log/contract.ts'
import type { Channel } from '../state/model.ts'
import { channelInFull, pmChannelInFull, type Shown } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { whileAway } from './read-log.ts'

/** `channel_info`: one channel in full. */
export const channelInfo = ({ resolver, directory, maxListBytes }: CommandDeps) =>
  command(commands.channel_info, ({ address, identity }) => {
    if (address.channel === WHOLE_ROOM) throw new CodedError('channel_not_found', { channel: `${address.room}:*` })
    if (address.channel === PM_CHANNEL) {
      authorize(identity, 'send_private', address.room)
      return { channel: pmChannelInFull(resolver.room(address.room)) }
    }
    const channel = resolver.channel(address.room, address.channel, identity)
    const inFull = () =>
      chain(directory.inChannel(channel), (clients) =>
        RawJson.of(channelInFull(channel, shownTo(identity, channel, clients), maxListBytes)),
      )
    const { log } = channel
    if (log === undefined) return chain(inFull(), (full) => ({ channel: full }))
    const bounds: Maybe<Bounds> = whileAway(
      () => log.bounds(),
      () => log.readAtHand({ limit: 1, maxBytes: 1 }),
    )
    return chain(bounds, ({ first, last }) =>
      chain(inFull(), (full) => ({
        channel: full,
        // Nothing is known of a log that has been away ever since it was opened.
        ...(last.n >= 0 && { position: positionText(last), first: positionText(first) }),
      })),
    )
  })

type Clients = { readonly participants: Shown; readonly roomParticipants: Shown }

/** Who is in a channel is shown to those with the grant `presence`; who is in all of its room, to those who have it there. */
function shownTo(viewer: Identity, { room, name }: Channel, { participants, roomParticipants }: Clients) {
  const maySee = (channel: string) => granted(viewer, 'presence', room.name, channel)
  return {
    count: participants.size,
    participants: maySee(name) ? participants : NOBODY,
    roomParticipants: maySee(name) && maySee(WHOLE_ROOM) ? roomParticipants : NOBODY,
  }
}

const NOBODY: Shown = new Map<{ id: string }, never>()

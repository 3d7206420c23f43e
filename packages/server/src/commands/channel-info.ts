import { CodedError, commands, positionText, WHOLE_ROOM } from '@arqonbus/protocol'
import { command } from '../bus/call.ts'
import type { Places } from '../bus/places.ts'
import { then } from '../kit/maybe.ts'
import { channelInFull } from '../state/views.ts'

/** `channel_info`: one channel in full. */
export const channelInfo = (places: Places, maxListBytes: number) =>
  command(commands.channel_info, ({ address, asker }) => {
    if (address.channel === WHOLE_ROOM) throw new CodedError('channel_not_found', { channel: `${address.room}:*` })
    const channel = places.channel(address.room, address.channel, asker)
    if (channel.log === undefined) return { channel: channelInFull(channel, maxListBytes) }
    return then(channel.log.bounds(), ({ first, last }) => ({
      channel: channelInFull(channel, maxListBytes),
      position: positionText(last),
      first: positionText(first),
    }))
  })

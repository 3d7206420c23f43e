import { commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { RawJson } from '../kit/raw-json.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `presence`: the members of a channel or a room. */
export const presenceOf = ({ resolver, presence, maxListBytes }: CommandDeps) =>
  command(commands.presence, ({ parameters, address, identity }) => {
    const { room, channel } = address
    const place = channel === WHOLE_ROOM ? resolver.room(room) : resolver.channel(room, channel, identity)
    authorize(identity, 'presence', place)
    const { cursor, limit = 100 } = parameters
    const page = presence.members(place, { cursor, limit, maxBytes: maxListBytes })
    return {
      channel: `${room}:${channel}`,
      count: presence.count(place),
      members: new RawJson(`[${page.texts.join(',')}]`),
      ...(page.cursor !== undefined && { cursor: page.cursor }),
    }
  })

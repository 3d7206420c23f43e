import { commands } from '@arqonbus/protocol'
import { chain } from '../kit/maybe.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { roomsPage } from './rooms-page.ts'

/** `list_rooms`: the rooms of the bus, or one of them. */
export const listRooms = (deps: CommandDeps) =>
  command(commands.list_rooms, ({ parameters: { room, cursor, limit }, identity }) => {
    const one = room === undefined ? undefined : deps.resolver.room(room)
    const page = deps.turns.run(() => roomsPage(deps, identity, { one, cursor, limit, maxBytes: deps.maxListBytes }))
    return chain(page, ({ entries, cursor }) => ({ rooms: entries, cursor }))
  })

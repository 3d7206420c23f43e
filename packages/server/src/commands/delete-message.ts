import { CodedError, commands, parsePosition, senderOf, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize, granted, may } from '../auth/access.ts'
import { chain } from '../kit/maybe.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `delete_message`: puts a tombstone in place of a message. */
export const deleteMessage = ({ resolver }: CommandDeps) =>
  command(commands.delete_message, ({ parameters, address, identity }) => {
    const position = parsePosition(parameters.position)
    if (position === undefined) throw invalidParameter('position', 'a position')
    const isWhole = address.channel === WHOLE_ROOM
    const of = isWhole ? resolver.room(address.room) : resolver.channel(address.room, address.channel, identity)
    const log = 'broadcast' in of ? of.broadcast : of.log
    const channel = `${address.room}:${address.channel}`
    if (log === undefined) throw new CodedError('system_channel', { channel, expected: 'a channel with history' })
    const notFound = () => new CodedError('message_not_found', { channel, position: parameters.position })
    const { ms, n } = position
    const before = { ms: n > 1 ? ms : 0, n: n - 1 }
    return chain(log.ready(), () =>
      chain(log.read({ after: before, limit: 1, maxBytes: 1 }), ({ entries: [entry] }) => {
        if (entry === undefined || entry.n !== n || entry.ms !== ms) throw notFound()
        const message = { ...address, from: senderOf(entry.text) }
        // Who may not read the channel does not learn which positions are taken.
        const isReader = granted(identity, 'history', address.room, address.channel)
        if (!isReader && !may(identity, 'delete_message', message)) throw notFound()
        authorize(identity, 'delete_message', message)
        return chain(log.redact(position), (isKept) => {
          if (!isKept) throw notFound()
          return { channel, position: parameters.position, deleted: true as const }
        })
      }),
    )
  })

import {
  BUS,
  CodedError,
  commands,
  type Position,
  parsePosition,
  positionText,
  recipientsOf,
  senderOf,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { RawJson } from '../kit/raw-json.ts'
import type { Log, Page, ReadQuery } from '../log/contract.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'
import { readWhere, whileAway } from './read-log.ts'

/** `history`: what was said in a channel, in the broadcast of a room, or in one's own inbox. */
export const history = ({ resolver, inboxOf, maxListBytes, turns }: CommandDeps) =>
  command(commands.history, ({ parameters, address, identity, requester, charge }) => {
    const { limit = 50, order = 'asc', with: other } = parameters
    const after = position(parameters.after, 'after')
    const before = position(parameters.before, 'before')
    if (after !== undefined && before !== undefined)
      throw invalidParameter('before', 'to be absent where `after` is given')
    const isInbox = address.room === BUS && address.channel === 'inbox'
    if (other !== undefined && !isInbox) throw invalidParameter('with', 'to be absent: it is for `arqonbus:inbox`')

    const query: ReadQuery = {
      ...(after !== undefined && { after }),
      ...(before !== undefined && { before }),
      from: order === 'desc' ? 'newest' : 'oldest',
      limit,
      maxBytes: maxListBytes,
    }
    const log = isInbox ? inboxOf(requester).log : logOf(resolver, address, identity)
    // The first page is paid with the command.
    let pages = 0
    const paged = () => {
      if (pages++ > 0) charge(1)
    }
    const readWith = (read: (query: ReadQuery) => Maybe<Page>) => {
      if (other === undefined) return read(query)
      return readWhere({ read, fits: ({ text }) => isBetween(text, requester.id, other), turns, paged }, query)
    }
    const read = whileAway<Page>(
      () => chain(log.ready(), () => readWith((query) => log.read(query))),
      () =>
        chain(
          readWith((query) => log.readAtHand(query)),
          (page) => ({ ...page, partial: true }),
        ),
    )
    return chain(read, (page) => {
      const texts = page.entries.map((entry) => entry.text)
      if (order === 'desc') texts.reverse()
      return {
        messages: new RawJson(`[${texts.join(',')}]`),
        first: positionText(page.first),
        last: positionText(page.last),
        has_more: page.hasMore,
        ...(page.partial === true && { partial: true }),
      }
    })
  })

/** The log of an address. Every client may read the broadcast of a room; a channel is checked by the resolver. */
function logOf(resolver: RoomResolver, address: { room: string; channel: string }, identity: Identity): Log {
  const log =
    address.channel === WHOLE_ROOM
      ? resolver.room(address.room).broadcast
      : resolver.channel(address.room, address.channel, identity).log
  if (log === undefined)
    throw new CodedError('system_channel', {
      channel: `${address.room}:${address.channel}`,
      expected: 'a channel with history',
    })
  return log
}

/**
 * True for a message that one of the two sent to the other. Most are recognised by their senders; the others are not
 * parsed either.
 */
function isBetween(text: string, own: string, other: string): boolean {
  const from = senderOf(text)
  return from === own ? recipientsOf(text).includes(other) : from === other
}

function position(text: string | undefined, name: string): Position | undefined {
  if (text === undefined) return undefined
  const found = parsePosition(text)
  if (found === undefined) throw invalidParameter(name, 'a position')
  return found
}

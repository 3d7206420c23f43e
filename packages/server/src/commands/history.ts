import { BUS, CodedError, commands, type Position, parsePosition, positionText, WHOLE_ROOM } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import { RawJson } from '../bus/deliver/frames.ts'
import type { Asker, Places } from '../bus/places/places.ts'
import { type Maybe, then } from '../kit/maybe.ts'
import type { Entry, Log, Page, ReadQuery } from '../log/contract.ts'
import type { Client } from '../state/model.ts'
import { readWhere, whileAway } from './reading.ts'

/** What `history` reads from. */
export type HistoryDeps = {
  readonly places: Places
  readonly inboxOf: (client: Client) => { readonly log: Log }
  /** The messages of one answer take so many bytes at most. */
  readonly maxListBytes: number
}

/** `history`: what was said in a channel, in the broadcast of a room, or in one's own inbox. */
export const history = ({ places, inboxOf, maxListBytes }: HistoryDeps) =>
  command(commands.history, ({ parameters, address, asker, requester }) => {
    const { limit = 50, order = 'asc' } = parameters
    const after = position(parameters.after, 'after')
    const before = position(parameters.before, 'before')
    if (after !== undefined && before !== undefined) throw fault('before', 'to be absent where `after` is given')
    const isInbox = address.room === BUS && address.channel === 'inbox'
    if (parameters.with !== undefined && !isInbox) throw fault('with', 'to be absent: it is for `arqonbus:inbox`')

    const query: ReadQuery = {
      ...(after !== undefined && { after }),
      ...(before !== undefined && { before }),
      from: order === 'desc' ? 'newest' : 'oldest',
      limit,
      maxBytes: maxListBytes,
    }
    const log = isInbox ? inboxOf(requester).log : logOf(places, address, asker)
    const readWith = (read: (query: ReadQuery) => Maybe<Page>) =>
      parameters.with === undefined ? read(query) : readConversation(read, requester.id, parameters.with, query)
    const read = whileAway<Page>(
      () => then(log.known(), () => readWith((query) => log.read(query))),
      () =>
        then(
          readWith((query) => log.readAtHand(query)),
          (page) => ({ ...page, partial: true }),
        ),
    )
    return then(read, (page) => {
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

/** Of an inbox only the conversation with one client. */
function readConversation(
  read: (query: ReadQuery) => Maybe<Page>,
  own: string,
  other: string,
  query: ReadQuery,
): Maybe<Page> {
  return readWhere(read, query, (entry) => isBetween(entry, own, other))
}

function logOf(places: Places, address: { room: string; channel: string }, asker: Asker): Log {
  const log =
    address.channel === WHOLE_ROOM
      ? places.room(address.room).broadcast
      : places.channel(address.room, address.channel, asker).log
  if (log === undefined)
    throw new CodedError('system_channel', {
      channel: `${address.room}:${address.channel}`,
      expected: 'a channel with history',
    })
  return log
}

/** True for a message that one of the two sent to the other. */
function isBetween(entry: Entry, own: string, other: string): boolean {
  const { from, metadata } = JSON.parse(entry.text) as { from: string; metadata: { to: string | string[] } }
  return (from === other && other !== own) || (from === own && [metadata.to].flat().includes(other))
}

function position(text: string | undefined, name: string): Position | undefined {
  if (text === undefined) return undefined
  const found = parsePosition(text)
  if (found === undefined) throw fault(name, 'a position')
  return found
}

const fault = (name: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { path: `/parameters/${name}`, expected })

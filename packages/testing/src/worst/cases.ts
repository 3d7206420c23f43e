/**
 * The worst frames that a client can send: for every command and every type of envelope, at the default limits. The
 * compiler demands cases for each, so that a new one cannot be forgotten.
 */
import type { CommandName, EnvelopeType } from '@arqonbus/protocol'
import { commandText, type Fixture, LARGEST, type MessageParts, messageText } from './fixture.ts'

/** Frames of one kind. */
export type WorstCase = {
  readonly title: string
  /** How many are sent at once. */
  readonly burst: number
  /** The sender. */
  readonly by: keyof Fixture['askers']
  /** The text of one frame; `i` counts them. */
  frame(i: number, fixture: Fixture): string
}

/** The cases of a command, which can be sent by HTTP too. */
export type WorstCommand = WorstCase & { parameters(i: number, fixture: Fixture): object | string }

/** As many as the rates allow at once: of the costly commands, and of all others. */
const COSTLY = 200
const USUAL = 2000

type Parameters = object | string

function ofCommand(
  name: CommandName,
  title: string,
  burst: number,
  parameters: Parameters | ((i: number, fixture: Fixture) => Parameters) = {},
  by: WorstCase['by'] = 'member',
): WorstCommand {
  const of: WorstCommand['parameters'] =
    typeof parameters === 'function' ? (parameters as WorstCommand['parameters']) : () => parameters
  const frame = (i: number, fixture: Fixture) => commandText(by, name, of(i, fixture))
  return { title: `${name} ${title}`, burst, by, frame, parameters: of }
}

function ofMessage(title: string, burst: number, parts: (i: number) => MessageParts): WorstCase {
  return { title, burst, by: 'member', frame: (i) => messageText('member', parts(i)) }
}

/** A JSON object with as many members as fit into `bytes`. */
export function objectOf(bytes: number, member: (i: number) => string): string {
  const members: string[] = []
  for (let left = bytes - 2, i = 0; ; i++) {
    const text = member(i)
    left -= text.length + 1
    if (left < 0) return `{${members.join(',')}}`
    members.push(text)
  }
}

/** The bytes of a message that are not used by its head. */
export const FREE = LARGEST - 1024

const several = (count: number, address: (i: number) => object) => ({
  channels: Array.from({ length: count }, (_, i) => address(i)),
})

/** The cases of every command. */
export const commandCases: { readonly [Name in CommandName]: readonly WorstCommand[] } = {
  ping: [ofCommand('ping', '', USUAL)],
  status: [ofCommand('status', '', COSTLY)],
  list_commands: [ofCommand('list_commands', '', COSTLY)],
  list_rooms: [
    ofCommand('list_rooms', 'of all, one', COSTLY, { limit: 1 }),
    ofCommand('list_rooms', 'of all, the longest page', COSTLY, { limit: 1000 }),
    ofCommand('list_rooms', 'the largest one', COSTLY, { room: 'big' }),
    ofCommand('list_rooms', 'one of private channels of others', COSTLY, { room: 'secret' }, 'stranger'),
  ],
  list_channels: [
    ofCommand('list_channels', 'of all, one', COSTLY, { limit: 1 }),
    ofCommand('list_channels', 'of all, the longest page', COSTLY, { limit: 1000 }),
    ofCommand('list_channels', 'of a large room, from the middle', COSTLY, { room: 'big', limit: 1, cursor: '7ps' }),
    ofCommand('list_channels', 'of a room with nothing to see', COSTLY, { room: 'secret', limit: 1000 }, 'stranger'),
    ofCommand('list_channels', 'by rate, one', COSTLY, { order: 'rate', limit: 1 }),
    ofCommand('list_channels', 'by rate, the longest page', COSTLY, { order: 'rate', limit: 1000 }, 'stranger'),
    ofCommand(
      'list_channels',
      'of a room with nothing to see, by rate',
      COSTLY,
      { room: 'secret', order: 'rate' },
      'stranger',
    ),
  ],
  list_clients: [
    ofCommand('list_clients', 'of all', COSTLY, { limit: 1000 }, 'stranger'),
    ofCommand('list_clients', 'of a room', COSTLY, { channel: 'crowd:*', limit: 1000 }),
    ofCommand('list_clients', 'of a channel, one', COSTLY, { channel: 'crowd:main', limit: 1 }),
    ofCommand('list_clients', 'by queue', COSTLY, { order: 'queue', limit: 1000 }, 'stranger'),
    ofCommand('list_clients', 'by rate', COSTLY, { order: 'rate', limit: 1000 }),
    ofCommand('list_clients', 'of a room, by queue', COSTLY, { channel: 'crowd:*', order: 'queue', limit: 1 }),
  ],
  channel_info: [ofCommand('channel_info', 'of a large channel', USUAL, { channel: 'crowd:main' })],
  join_channel: [
    ofCommand(
      'join_channel',
      'the same large room 100 times',
      20,
      several(100, () => ({ channel: 'big:*' })),
    ),
    ofCommand('join_channel', '100 rooms', 20, (_, { scale }) =>
      several(100, (i) => ({ channel: `many-${i % scale.rooms}:*` })),
    ),
    ofCommand('join_channel', 'a room with many private channels', 20, { channel: 'secret:*' }),
    ofCommand('join_channel', 'a room of private channels of others', 20, { channel: 'secret:*' }, 'stranger'),
    ofCommand('join_channel', 'with positions of channels that do not exist', 5, () => {
      const since = objectOf(FREE, (i) => `"c${i}":"1-1"`)
      return `{"channel":"many-0:*","since":${since}}`
    }),
    ofCommand('join_channel', '100 new channels', 10, (i) => several(100, (n) => ({ channel: `made-${i}:c${n}` }))),
    ofCommand('join_channel', 'with faults in each of 60 entries', USUAL, () =>
      several(60, (n) => ({ channel: '!', since: 'x', [`other${n}`]: 1 })),
    ),
    ofCommand('join_channel', 'with a snapshot of a large room', 20, { channel: 'big:*', snapshot: 'latest' }),
    ofCommand('join_channel', 'with a snapshot of the history', 20, { channel: 'history:*', snapshot: 'latest' }),
    ofCommand('join_channel', 'with a snapshot of small messages', 50, () => ({
      channel: 'history:small',
      delivery: 'latest',
      snapshot: 'latest',
    })),
    ofCommand('join_channel', 'with presence in a crowd', 50, () => ({ channel: 'crowd:main', presence: true })),
    ofCommand('join_channel', 'from positions in a large room', 50, (i) => ({ channel: `big:c${i}`, since: '1-0' })),
  ],
  leave_channel: [
    ofCommand('leave_channel', 'a room with many private channels', 2, { channel: 'secret:*' }),
    ofCommand('leave_channel', 'rooms, joined or not', USUAL, (i, { scale }) => ({
      channel: `many-${i % scale.rooms}:*`,
    })),
  ],
  history: [
    ofCommand('history', 'of large messages', COSTLY, { channel: 'history:large', limit: 1000 }),
    ofCommand('history', 'of small messages', COSTLY, { channel: 'history:small', limit: 1000, order: 'desc' }),
    ofCommand('history', 'with an unknown client', 20, { channel: 'arqonbus:inbox', with: 'nobody', limit: 1 }),
    ofCommand('history', 'with one client, backwards', 20, {
      channel: 'arqonbus:inbox',
      with: 'maker',
      limit: 1000,
      order: 'desc',
    }),
  ],
  presence: [
    ofCommand('presence', 'of a large channel', COSTLY, { channel: 'crowd:main', limit: 1000 }),
    ofCommand('presence', 'of a large room, from the middle', COSTLY, { channel: 'crowd:*', limit: 1, cursor: 'c9q' }),
    ofCommand('presence', 'of those that are gone', COSTLY, { channel: 'crowd:main', limit: 1000, cursor: 'a0' }),
  ],
  set_presence: [
    ofCommand('set_presence', 'with the longest status', 10, { status: { text: 'x'.repeat(1000) } }),
    ofCommand('set_presence', 'in a channel that the client has not joined', 10, {
      channel: 'crowd:main',
      status: null,
    }),
  ],
  create_channel: [
    ofCommand('create_channel', 'with many members', COSTLY, (i) => ({
      channel: `created:m${i}`,
      type: 'private',
      metadata: { members: Array.from({ length: 1500 }, (_, n) => `m${n}`) },
    })),
    ofCommand('create_channel', 'with much metadata', COSTLY, (i) => ({
      channel: `created:d${i}`,
      metadata: { nested: Array.from({ length: 5000 }, () => []) },
    })),
    ofCommand('create_channel', 'in a room with a crowd', COSTLY, (i) => ({
      channel: `crowd:p${i}`,
      type: 'private',
    })),
  ],
  delete_channel: [
    ofCommand('delete_channel', 'of a room with a crowd', COSTLY, (i) => ({ channel: `crowd:p${i}` })),
    ofCommand('delete_channel', 'that does not exist', USUAL, (i) => ({ channel: `crowd:none${i}` })),
  ],
  delete_message: [
    ofCommand('delete_message', 'that does not exist', USUAL, (i) => ({
      channel: 'history:large',
      position: `${i + 1}-${i + 1}`,
    })),
  ],
  invite: [
    ofCommand('invite', 'into a channel with many members', USUAL, (i, { adminKey }) => ({
      channel: `created:m${i}`,
      client_id: `guest-${i}`,
      admin_key: adminKey,
    })),
  ],
  remove_member: [
    ofCommand('remove_member', 'from a channel with many members', USUAL, (i, { adminKey }) => ({
      channel: `created:m${i}`,
      client_id: `guest-${i}`,
      admin_key: adminKey,
    })),
  ],
  update_profile: [
    ofCommand('update_profile', 'with the longest texts', USUAL, {
      screen_name: 'é'.repeat(128),
      avatar: 'é'.repeat(2048),
      personality: 'é'.repeat(1024),
    }),
  ],
  pause_room: [ofCommand('pause_room', 'large', USUAL, (_, { adminKey }) => ({ room: 'big', admin_key: adminKey }))],
  resume_room: [ofCommand('resume_room', 'large', USUAL, (_, { adminKey }) => ({ room: 'big', admin_key: adminKey }))],
  delete_room: [
    ofCommand('delete_room', 'with a crowd in it', 1, (_, { adminKey }) => ({ room: 'leaving', admin_key: adminKey })),
  ],
  reload: [ofCommand('reload', 'of all settings', USUAL, (_, { adminKey }) => ({ admin_key: adminKey }))],
  disconnect_client: [
    ofCommand('disconnect_client', 'with as many subscriptions as it may have', 1, (_, { adminKey }) => ({
      client_id: 'crowd-0',
      admin_key: adminKey,
    })),
  ],
  authenticate: [ofCommand('authenticate', 'with the longest token', COSTLY, { token: 't'.repeat(4096) })],
  revoke: [
    ofCommand('revoke', 'a subject of nobody', USUAL, (i, { adminKey }) => ({
      sub: `nobody-${i}`,
      admin_key: adminKey,
    })),
  ],
}

/** Payloads and metadata that take long to parse, in the usual key order and in an unusual one. */
export const contents: Readonly<Record<string, () => string>> = {
  'many integers as keys': () => objectOf(FREE, (i) => `"${i}":0`),
  'many keys': () => objectOf(FREE, (i) => `"k${i}":[]`),
  'deep nests': () => objectOf(FREE, (i) => `"n${i}":${'['.repeat(60)}${']'.repeat(60)}`),
  'one long text of escapes': () => `{"text":"${'\\u00e9\\\\'.repeat(FREE / 8)}"}`,
  'texts that look like metadata': () => objectOf(FREE, (i) => `"${i}":",\\"metadata\\":{"`),
}

const AT = { room: 'history', channel: 'written' }
/** The same frame with its keys in an unusual order. */
const unusual = (one: WorstCase): WorstCase => ({
  ...one,
  title: `${one.title}, in an unusual order`,
  frame: (i, fixture) => one.frame(i, fixture).replace('"version":"1.0",', '').replace(/\}$/, ',"version":"1.0"}'),
})
const messages = Object.entries(contents).flatMap(([title, content]) => [
  ofMessage(`event with a payload of ${title}`, 3, () => ({ ...AT, payload: content() })),
  ofMessage(`event with metadata of ${title}`, 3, () => ({ ...AT, metadata: content() })),
])

/** As many recipients as a private message may have. */
const ALL_RECIPIENTS = JSON.stringify(Array.from({ length: 32 }, (_, i) => `crowd-${i + 1}`))

/** The cases of every type of envelope, including types that only the bus may send. */
export const frameCases: { readonly [Type in EnvelopeType]: readonly WorstCase[] } = {
  event: [
    ...messages,
    ...messages.map(unusual),
    ofMessage('event that is broken at its end', 3, () => ({
      ...AT,
      payload: `${objectOf(FREE, (i) => `"${i}":[]`)},`,
    })),
    ofMessage('event after event', USUAL, () => AT),
    ofMessage('event to new channels', USUAL, (i) => ({ room: 'new', channel: `c${i}` })),
    ofMessage('event to new rooms', USUAL, (i) => ({ room: `new-${i}`, channel: '*' })),
    ofMessage('event to a crowd', USUAL, () => ({ room: 'crowd', channel: 'main' })),
    ofMessage('event that is acknowledged', USUAL, () => ({ ...AT, metadata: '{"ack":true}' })),
    ofMessage('event with faults in every field', USUAL, () => ({
      type: '!',
      room: '!',
      channel: '!',
      payload: `1,${Array.from({ length: 200 }, (_, n) => `"other${n}":1`).join(',')}`,
      metadata: '{"ack":"!","to":1,"cause":1,"key":"","traceparent":1,"position":1,"arq_a":1}',
    })),
    ofMessage('event with a long text in place of every field', 10, () => ({
      type: 'x'.repeat(FREE / 5),
      room: 'x'.repeat(FREE / 5),
      channel: 'x'.repeat(FREE / 5),
      payload: `"${'x'.repeat(FREE / 5)}"`,
    })),
    ofMessage('event that is refused', USUAL, () => ({ room: 'arqonbus', channel: 'control' })),
  ],
  private: [
    ofMessage('private, large, to the most recipients', 3, () => ({
      type: 'private',
      room: 'history',
      channel: 'pm',
      payload: `{"text":"${'x'.repeat(FREE - 1024)}"}`,
      metadata: `{"to":${ALL_RECIPIENTS},"ack":true}`,
    })),
    ofMessage('private, small, to the most recipients', USUAL, () => ({
      type: 'private',
      room: 'history',
      channel: 'pm',
      metadata: `{"to":${ALL_RECIPIENTS}}`,
    })),
  ],
  telemetry: [
    ofMessage('telemetry', USUAL, () => ({
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      payload: '{"eventType":"e","payload":{}}',
    })),
    ofMessage('telemetry, large', 3, () => ({
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      payload: `{"eventType":"e","payload":${objectOf(FREE - 100, (i) => `"${i}":0`)}}`,
    })),
  ],
  command: [
    ofMessage('command that is unknown', USUAL, (i) => ({ type: 'command', ...AT, payload: `{"name":"c${i}"}` })),
  ],
  system: [ofMessage('system, which clients may not send', 1, () => ({ type: 'system', ...AT }))],
  command_response: [ofMessage('command_response likewise', 1, () => ({ type: 'command_response', ...AT }))],
}

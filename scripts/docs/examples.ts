/**
 * One example of every command: what a client sends, and the reply. They are shown in `docs/reference/commands.md`; a
 * test checks them against the schemas, and another one sends them to a bus.
 */

import type {
  Channel,
  ChannelInFull,
  Client,
  CommandName,
  CommandParameters,
  CommandResult,
  DeliveredEnvelope,
  Room,
} from '@arqonbus/protocol'

/** A command and the result of its reply. */
export type CommandExample<Name extends CommandName = CommandName> = {
  readonly parameters: CommandParameters<Name>
  readonly result: CommandResult<Name>
}

const ada: Client = {
  client_id: 'ada',
  client_type: 'human',
  screen_name: 'Ada',
  state: 'active',
  connected_at: '2026-11-21T11:58:03.120Z',
  last_activity: '2026-11-21T12:00:00.007Z',
  subscriptions: ['science:explore'],
}

const bot: Client = {
  client_id: 'bot-7',
  client_type: 'ai-agent',
  personality: 'Answers questions about the sky.',
  state: 'connected',
  connected_at: '2026-11-21T11:59:12.480Z',
  last_activity: '2026-11-21T11:59:12.480Z',
  subscriptions: ['science:*'],
}

/** What lists of clients say of each. */
const traffic = { frames_received: 3, messages_per_second: 0.2, queue_bytes: 0, behind: false }

const explore: Channel = {
  name: 'explore',
  room: 'science',
  type: 'general',
  state: 'active',
  created_at: '2026-11-21T11:58:03.125Z',
  created_by: 'ada',
  hardcoded: false,
  auto_created: true,
  participant_count: 1,
}

const exploreInFull: ChannelInFull = { ...explore, participants: ['ada'], room_participants: ['bot-7'] }

const lab: Channel = {
  name: 'lab',
  room: 'science',
  type: 'private',
  state: 'empty',
  created_at: '2026-11-21T12:00:00.007Z',
  created_by: 'ada',
  metadata: { topic: 'Results before they are public', members: ['bot-7'] },
  options: { history_size: 500, history_ttl_ms: 3600000 },
  hardcoded: false,
  auto_created: false,
  participant_count: 0,
}

const science: Room = {
  name: 'science',
  type: 'dynamic',
  state: 'active',
  channels: ['explore'],
  channel_count: 1,
  created_at: '2026-11-21T11:58:03.125Z',
  created_by: 'ada',
  participant_count: 2,
}

const said = (n: number, from: string, payload: Record<string, unknown>): DeliveredEnvelope => ({
  version: '1.0',
  id: `arq_0${n}`,
  type: 'event',
  room: 'science',
  channel: 'explore',
  from,
  timestamp: `2026-11-21T11:59:4${n}.000Z`,
  payload,
  metadata: { position: `179526238${n}000-${n}` },
})

/** The examples, by command. */
export const examples: { readonly [Name in CommandName]: CommandExample<Name> } = {
  ping: { parameters: {}, result: { pong: true, timestamp: '2026-11-21T12:00:00.007Z' } },
  status: {
    parameters: {},
    result: {
      server: {
        name: 'arqonbus',
        version: '0.1.0',
        protocol: '1.0',
        node: 'k3v9x2a1',
        status: 'ok',
        started_at: '2026-11-21T11:57:40.000Z',
        uptime_seconds: 140.007,
      },
      storage: {
        driver: 'memory',
        durability: 'memory',
        history_bytes: 1184,
        history_messages: 3,
        max_bytes: 268435456,
      },
      totals: { connections: 2, streams: 0, clients: 2, rooms: 3, channels: 5, participants: 2 },
      attention: [{ code: 'refusals', subject: 'room_paused', since: '2026-11-21T11:59:50.000Z', count: 12 }],
      limits: [{ limit: 'rooms', used: 3, most: 10000 }],
      refusals: [{ code: 'room_paused', count: 12, client_id: 'ada' }],
      rooms: [science],
      clients_by_type: { human: 1, 'ai-agent': 1, dashboard: 0, service: 0 },
      clients: [ada, bot],
    },
  },
  list_commands: {
    parameters: {},
    result: {
      commands: [
        {
          name: 'resume_room',
          description:
            'Lets messages to a paused room pass again. Resuming what is not paused succeeds and changes nothing.',
          parameters: { type: 'object', properties: { room: { type: 'string' } }, additionalProperties: false },
          response_format: 'resume_room_result',
          requires_admin: true,
          channel_scope: 'room',
          needs_connection: false,
          errors: ['room_not_found', 'room_hardcoded', 'storage_unavailable'],
        },
      ],
    },
  },
  list_rooms: { parameters: { room: 'science' }, result: { rooms: [science] } },
  list_channels: {
    parameters: { room: 'science', limit: 50 },
    result: { channels: [{ ...explore, messages_per_second: 0.3 }] },
  },
  list_clients: {
    parameters: { channel: 'science:*', limit: 50 },
    result: { clients: [ada, bot].map((one) => ({ ...one, ...traffic })) },
  },
  channel_info: {
    parameters: { channel: 'science:explore' },
    result: { channel: exploreInFull, position: '1795262383000-3', first: '1795262381000-1' },
  },
  join_channel: {
    parameters: { channel: 'science:explore', since: '1795262381000-1', since_id: 'arq_01' },
    result: {
      channel: 'science:explore',
      type: 'general',
      position: '1795262383000-3',
      recovered: true,
      missed: 2,
      room_position: '1795262283125-0',
    },
  },
  leave_channel: { parameters: { channel: 'science:explore' }, result: { channel: 'science:explore', left: true } },
  history: {
    parameters: { channel: 'science:explore', after: '1795262381000-1', limit: 2 },
    result: {
      messages: [said(2, 'bot-7', { text: 'Looking.' }), said(3, 'bot-7', { text: 'It is Jupiter.', magnitude: -2.5 })],
      first: '1795262381000-1',
      last: '1795262383000-3',
      has_more: false,
    },
  },
  presence: {
    parameters: { channel: 'science:*' },
    result: {
      channel: 'science:*',
      count: 2,
      members: [
        {
          client_id: 'ada',
          client_type: 'human',
          screen_name: 'Ada',
          status: { state: 'busy', text: 'at the telescope' },
        },
        { client_id: 'bot-7', client_type: 'ai-agent' },
      ],
    },
  },
  set_presence: {
    parameters: { channel: 'science:explore', status: { state: 'busy', text: 'at the telescope' } },
    result: { channel: 'science:explore', status: { state: 'busy', text: 'at the telescope' } },
  },
  create_channel: {
    parameters: {
      channel: 'science:lab',
      type: 'private',
      metadata: { topic: 'Results before they are public', members: ['bot-7'] },
      options: { history_size: 500, history_ttl_ms: 3600000 },
    },
    result: { channel: lab },
  },
  delete_channel: { parameters: { channel: 'science:lab' }, result: { channel: 'science:lab', deleted: true } },
  delete_message: {
    parameters: { channel: 'science:explore', position: '1795262403120-1' },
    result: { channel: 'science:explore', position: '1795262403120-1', deleted: true },
  },
  invite: {
    parameters: { channel: 'science:lab', client_id: 'bob' },
    result: { channel: 'science:lab', client_id: 'bob', added: true },
  },
  remove_member: {
    parameters: { channel: 'science:lab', client_id: 'bob' },
    result: { channel: 'science:lab', client_id: 'bob', removed: true },
  },
  update_profile: {
    parameters: { screen_name: 'Ada L.', avatar: null },
    result: { client: { ...ada, screen_name: 'Ada L.' } },
  },
  pause_room: { parameters: { room: 'science' }, result: { room: { ...science, state: 'paused' } } },
  resume_room: { parameters: { room: 'science' }, result: { room: science } },
  delete_room: { parameters: { room: 'science' }, result: { room: 'science', deleted: true } },
  disconnect_client: {
    parameters: { client_id: 'bot-7', reason: 'Maintenance of the telescope' },
    result: { client_id: 'bot-7', disconnected: true },
  },
  authenticate: {
    parameters: { token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl' },
    result: { client_id: 'ada', role: 'user', expires_at: '2026-11-21T13:00:00.000Z' },
  },
  revoke: { parameters: { sub: 'bot-7' }, result: { sub: 'bot-7', revoked: true, durable: true } },
  reload: { parameters: {}, result: { changed: ['admin_key', 'tls'], needs_restart: ['ARQONBUS_MAX_ROOMS'] } },
}

/** The envelope of an example. */
export const requestOf = (name: CommandName): Record<string, unknown> => ({
  version: '1.0',
  id: 'arq_019aa65ea5407b4d9c6d2f1b3a7e8c01',
  type: 'command',
  room: 'arqonbus',
  channel: 'control',
  from: 'ada',
  timestamp: '2026-11-21T12:00:00Z',
  payload: {
    name,
    ...(Object.keys(examples[name].parameters).length > 0 && { parameters: examples[name].parameters }),
  },
})

/** The payload of the reply of an example. */
export const replyOf = (name: CommandName, responseFormat: string): Record<string, unknown> => ({
  request_id: 'arq_019aa65ea5407b4d9c6d2f1b3a7e8c01',
  command: name,
  requester: 'ada',
  status: 'success',
  response_format: responseFormat,
  result: examples[name].result,
})

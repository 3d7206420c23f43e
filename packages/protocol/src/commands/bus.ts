/** Commands about the bus and its clients. */
import Type from 'typebox'
import { Client, type ClientType, CommandInfo, clientTypes, ListedClient, profileFields, Room } from '../entities.ts'
import { BusTime, Durability } from '../envelope/schema.ts'
import { Attention, LimitInUse, RefusedFrames } from '../figures.ts'
import { addressFields, ClientIdField, nextPage, orderField, pageFields } from './fields.ts'
import { command, parameters } from './shape.ts'

/** Measures the round trip. */
export const ping = command('ping', {
  summary: 'Answers at once: measures the round trip of an application.',
  notes: ['It does not wait for the messages that the client sent before it, as other commands do.'],
  grant: 'nothing',
  parameters: parameters({}),
  result: Type.Object({
    pong: Type.Literal(true),
    timestamp: Type.Unsafe<string>({ ...BusTime, description: 'When the bus received the command.' }),
  }),
})

/** Describes the bus. */
export const status = command('status', {
  summary: 'Describes the bus: its clients, rooms, channels, participants and storage.',
  grant: { at: 'bus', actions: ['status'] },
  parameters: parameters({
    lists: Type.Optional(
      Type.Boolean({
        default: true,
        description: '`false`: `rooms` and `clients` are empty, for a program that asks again and again for the rest.',
      }),
    ),
  }),
  result: Type.Object({
    server: Type.Object(
      {
        name: Type.Literal('arqonbus'),
        version: Type.String({ description: 'The version of the server.' }),
        protocol: Type.String({ description: 'The version of the protocol that it writes.' }),
        node: Type.String({ description: 'The identity of this node, new with each start.' }),
        status: Type.Unsafe<'ok' | 'degraded' | 'draining'>({
          enum: ['ok', 'degraded', 'draining'],
          description:
            '`degraded`: it serves, but something it was configured with is missing. `draining`: it is shutting down.',
        }),
        started_at: Type.Unsafe<string>({ ...BusTime, description: 'When it was started.' }),
        uptime_seconds: Type.Number({ description: 'Seconds since the start.' }),
      },
      { description: 'This node.' },
    ),
    storage: Type.Object(
      {
        driver: Type.String({ description: 'What holds the history: `memory` or `redis`.' }),
        durability: Durability,
        history_bytes: Type.Integer({
          description:
            'Bytes of messages in the memory of this node: all histories, or what it holds of those in a store.',
        }),
        history_messages: Type.Integer({ description: 'These messages.' }),
        max_bytes: Type.Integer({ description: 'The most that `history_bytes` may be: `ARQONBUS_HISTORY_BYTES`.' }),
        store: Type.Optional(
          Type.Object(
            {
              bytes: Type.Integer({ description: 'Memory in use.' }),
              max_bytes: Type.Optional(Type.Integer({ description: 'Its own limit; absent where it has none.' })),
            },
            {
              description: 'The external store, as of its last reply; absent without one, and before its first reply.',
            },
          ),
        ),
        growth_bytes_per_second: Type.Optional(
          Type.Number({
            description:
              'Growth of `store.bytes`, without a store of `history_bytes`, over the last 15 minutes or since the start; absent in the first 20 seconds.',
          }),
        ),
        last_outage: Type.Optional(
          Type.Object(
            {
              since: Type.Unsafe<string>({ ...BusTime, description: 'When it began.' }),
              ms: Type.Integer({ description: 'How long it lasted, or lasts so far, in milliseconds.' }),
            },
            { description: 'The last outage of the store; absent if there was none since the start.' },
          ),
        ),
      },
      { description: 'Where messages are kept, and what an acknowledgement can promise.' },
    ),
    totals: Type.Object(
      {
        connections: Type.Integer({
          description: 'Open WebSocket connections to the bus; not those of telemetry subscribers.',
        }),
        streams: Type.Integer({ description: 'Open event streams over HTTP.' }),
        clients: Type.Integer({
          description:
            'Connected clients: one for each connection that was admitted, and one for each stream. Callers of the HTTP API are not counted.',
        }),
        rooms: Type.Integer({ description: 'Rooms.' }),
        channels: Type.Integer({ description: 'Channels, private ones too.' }),
        participants: Type.Integer({ description: 'Subscriptions of all clients, direct and room-wide.' }),
      },
      { description: 'Counts.' },
    ),
    attention: Type.Array(Attention, {
      maxItems: 5,
      description: 'What needs a person, the most urgent first, at most five; as of a second ago at most.',
    }),
    limits: Type.Array(LimitInUse, {
      description: 'How much of the limits is in use, the fullest first; as of a second ago at most.',
    }),
    refusals: Type.Array(RefusedFrames, {
      description:
        'Frames refused in the last 15 minutes by code, the most frequent first; as of a second ago at most.',
    }),
    rooms: Type.Array(Room, { description: 'The first 100 rooms, as far as a frame holds them.' }),
    rooms_cursor: Type.Optional(
      Type.String({ description: 'The `cursor` with which `list_rooms` goes on. Absent where these are all rooms.' }),
    ),
    clients_by_type: Type.Object(
      Object.fromEntries(clientTypes.map((type) => [type, Type.Integer()])) as Record<
        ClientType,
        ReturnType<typeof Type.Integer>
      >,
      { description: 'Connected clients of each type.' },
    ),
    clients: Type.Optional(
      Type.Array(Client, { description: 'The first 100 clients that one may see, as far as a frame holds them.' }),
    ),
    clients_cursor: Type.Optional(
      Type.String({
        description: 'The `cursor` with which `list_clients` goes on. Absent where these are all clients.',
      }),
    ),
  }),
  rate_limited: true,
})

/** Lists the commands. */
export const list_commands = command('list_commands', {
  summary: 'Lists all commands of the bus: what each does, its parameters, and who may run it.',
  grant: 'nothing',
  parameters: parameters({}),
  result: Type.Object({ commands: Type.Array(CommandInfo, { description: 'The commands.' }) }),
  rate_limited: true,
})

/** Lists the clients. */
export const list_clients = command('list_clients', {
  summary: 'Lists the connected clients of the bus, of a channel or of a room, oldest connection first.',
  notes: [
    'Without `room` and `channel` it lists all clients: the address of the envelope is ignored.',
    'A page with a `cursor` may be short, or empty, where few of all clients are in a large channel.',
    'Of a channel it lists the participants; of `room:*`, all clients in the room.',
    'In another order than `oldest` the first 1,000 clients are in that order, and all others follow as in `oldest`: `queue` is measured once a second, `rate` every 10 seconds. A client whose place changes between two pages may be on both, or on neither.',
  ],
  grant: { at: 'listed', actions: ['presence'] },
  parameters: parameters({
    ...addressFields,
    ...pageFields,
    order: orderField(['oldest', 'queue', 'rate'], {
      queue: 'the most bytes that it has not read first',
      rate: 'the most `messages_per_second` first',
    }),
  }),
  result: Type.Object({ clients: Type.Array(ListedClient, { description: 'The clients of this page.' }), ...nextPage }),
  channel_scope: 'none',
  rate_limited: true,
  errors: ['forbidden', 'system_channel', 'room_not_found', 'channel_not_found', 'storage_unavailable'],
})

const orNull = <T extends (typeof profileFields)[keyof typeof profileFields]>(field: T) =>
  Type.Optional(Type.Union([field, Type.Null()], { description: `${field.description} \`null\` takes it away.` }))

/** Changes what the client says about itself. */
export const update_profile = command('update_profile', {
  summary: 'Changes what the requester says about itself.',
  notes: ['What is left out stays as it is.', 'What the token of the connection says is `forbidden` to change.'],
  grant: 'nothing',
  parameters: parameters({
    screen_name: orNull(profileFields.screen_name),
    avatar: orNull(profileFields.avatar),
    personality: orNull(profileFields.personality),
  }),
  result: Type.Object({ client: Client }),
  needs_connection: true,
  errors: ['forbidden'],
})

/** Reads the settings again. */
export const reload = command('reload', {
  summary: 'Reads the settings of the server again, and puts those in force that may change while it runs.',
  notes: [
    'It reads the file with settings, the files of secrets and those of the certificate; variables and flags are those of the start.',
    'Where one of them cannot be used, nothing changes.',
    'It reloads the node that receives it, and no other node of the bus.',
  ],
  parameters: parameters({}),
  result: Type.Object({
    changed: Type.Array(Type.String(), {
      description: 'What has changed, such as `admin_key`, `origins` or `tls`; empty where nothing has.',
    }),
    needs_restart: Type.Array(Type.String(), {
      description: 'Settings that differ from those in force, and need a restart: `ARQONBUS_MAX_ROOMS`.',
    }),
  }),
  requires_admin: true,
  grant: { at: 'bus', actions: ['manage'] },
  errors: ['reload_failed'],
})

/** Ends a client's connection. */
export const disconnect_client = command('disconnect_client', {
  summary: 'Ends the connection of a client with close code 4411, and its session.',
  grant: { at: 'client', actions: ['manage'] },
  parameters: parameters({
    client_id: ClientIdField,
    reason: Type.Optional(
      Type.String({
        maxLength: 100,
        pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
        description: 'Told to the client in the close frame: at most 100 characters, none of them control characters.',
      }),
    ),
  }),
  result: Type.Object({ client_id: ClientIdField, disconnected: Type.Literal(true) }),
  requires_admin: true,
  errors: ['client_not_found'],
})

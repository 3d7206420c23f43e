import { describe, expect, test } from 'bun:test'
import { CodedError } from '@arqonbus/protocol'
import {
  authorize,
  type ChannelTarget,
  type CreationPolicy,
  may,
  type NewTarget,
  type RoomTarget,
  visible,
} from './access.ts'
import { compilePermissions } from './compile-permissions.ts'
import { anonymous, asAdmin, type Identity } from './identity.ts'

const connection = (id: string): Identity => ({
  id,
  role: 'user',
  isProven: true,
  holder: 'h',
  isReadOnly: false,
  ...anonymous,
})

/** Everybody who may ask: connections, a caller by HTTP that only says who it is, and an event stream. */
const identities = {
  user: connection('user'),
  creator: connection('creator'),
  member: connection('member'),
  admin: asAdmin(connection('admin')),
  caller: { ...connection('user'), isProven: false, holder: undefined },
  stream: { ...connection('user'), isProven: false, holder: undefined, isReadOnly: true },
} as const

const channel = (fields: Partial<ChannelTarget>): ChannelTarget => ({
  address: 'room:channel',
  room: { name: 'room' },
  name: 'channel',
  type: 'general',
  createdBy: 'creator',
  holder: 'h',
  members: undefined,
  hardcoded: false,
  log: {},
  ...fields,
})
const open = channel({})
const secret = channel({ type: 'private', members: new Set(['member']) })
const configured = channel({ type: 'system', createdBy: undefined, hardcoded: true })
const own = channel({
  address: 'arqonbus:control',
  type: 'system',
  createdBy: undefined,
  hardcoded: true,
  log: undefined,
})

const room = (fields: Partial<RoomTarget>): RoomTarget => ({
  name: 'room',
  type: 'user',
  state: 'active',
  createdBy: 'creator',
  holder: 'h',
  broadcast: {},
  ...fields,
})
const anybody: CreationPolicy = { autoCreate: true, create: 'user' }
const admins: CreationPolicy = { autoCreate: true, create: 'admin' }
const byCommand: CreationPolicy = { autoCreate: false, create: 'user' }
const place = (creation: CreationPolicy, fields: Partial<NewTarget> = {}): NewTarget => ({
  room: 'room',
  channel: 'channel',
  isBuiltIn: false,
  creation,
  ...fields,
})

const all = Object.keys(identities)
const nobody: string[] = []
const allBut = (...names: string[]) => all.filter((name) => !names.includes(name))

/** What is asked for, and who may. */
const table = [
  ['read an open channel', all, (who) => may(who, 'read', open)],
  ['read a private channel', ['creator', 'member', 'admin'], (who) => may(who, 'read', secret)],
  ['read a system channel', all, (who) => may(who, 'read', own)],
  ['be told who is in an open channel', all, (who) => may(who, 'presence', open)],
  ['be told who is in a private channel', ['creator', 'member', 'admin'], (who) => may(who, 'presence', secret)],
  ['be told who is in a room', all, (who) => may(who, 'presence', room({}))],
  ['publish to an open channel', all, (who) => may(who, 'publish', open)],
  ['publish to a private channel', ['creator', 'member', 'admin'], (who) => may(who, 'publish', secret)],
  ['publish to a configured system channel', ['admin'], (who) => may(who, 'publish', configured)],
  ['publish to a channel of the bus itself', nobody, (who) => may(who, 'publish', own)],
  ['publish to a room', all, (who) => may(who, 'broadcast', room({}))],
  ['publish to a configured room', all, (who) => may(who, 'broadcast', room({ type: 'system' }))],
  ['publish to a room of the bus', nobody, (who) => may(who, 'broadcast', room({ broadcast: undefined }))],
  ['enter an address', all, (who) => may(who, 'enter', { room: 'room', channel: 'a' })],
  ['enter the room of the bus', nobody, (who) => may(who, 'enter', { room: 'arqonbus', channel: '*' })],
  ['enter the channel of private messages', nobody, (who) => may(who, 'enter', { room: 'room', channel: 'pm' })],
  ['create on demand', allBut('stream'), (who) => may(who, 'open', place(anybody))],
  ['create on demand where admins create', ['admin'], (who) => may(who, 'open', place(admins))],
  ['create on demand where that is off', nobody, (who) => may(who, 'open', place(byCommand))],
  ['create on demand in a built-in room', nobody, (who) => may(who, 'open', place(anybody, { isBuiltIn: true }))],
  ['wait for a channel', all, (who) => may(who, 'wait_for', place(anybody))],
  ['wait for a channel where admins create', ['admin'], (who) => may(who, 'wait_for', place(admins))],
  ['create by command', all, (who) => may(who, 'create', place(byCommand))],
  ['create by command where admins create', ['admin'], (who) => may(who, 'create', place(admins))],
  ['create `pm`', nobody, (who) => may(who, 'create', place(anybody, { channel: 'pm' }))],
  ['create in a built-in room', nobody, (who) => may(who, 'create', place(anybody, { isBuiltIn: true }))],
  ['delete a channel', ['creator', 'admin'], (who) => may(who, 'delete', secret)],
  ['delete a configured channel', nobody, (who) => may(who, 'delete', configured)],
  ['change the members of a private channel', ['creator', 'admin'], (who) => may(who, 'change_members', secret)],
  [
    'delete a message of `creator`',
    ['creator', 'admin'],
    (who) => may(who, 'delete_message', { room: 'room', channel: 'channel', from: 'creator' }),
  ],
  ['read the history of a private channel', ['creator', 'member', 'admin'], (who) => may(who, 'read_history', secret)],
  ['change a room', all, (who) => may(who, 'change', room({}))],
  ['change a system room', nobody, (who) => may(who, 'change', room({ type: 'system' }))],
  ['delete a room', ['creator', 'admin'], (who) => may(who, 'delete_room', room({}))],
  ['delete a paused room', ['admin'], (who) => may(who, 'delete_room', room({ state: 'paused' }))],
  ['use the inbox of `user`', ['user'], (who) => may(who, 'inbox', 'user')],
  ['send private messages', all, (who) => may(who, 'send_private', 'room')],
  ['send private messages in `integriguard`', nobody, (who) => may(who, 'send_private', 'integriguard')],
  ['use a free client id', all, (who) => may(who, 'use_id', { isTaken: false })],
  ['use the id of a connected client', allBut('caller', 'stream'), (who) => may(who, 'use_id', { isTaken: true })],
  ['see an open channel in a list', all, (who) => visible(who).channel(open)],
  ['see a private channel in a list', ['creator', 'member', 'admin'], (who) => visible(who).channel(secret)],
  ['see another client in a list', all, (who) => visible(who).client('other')],
] satisfies [string, string[], (who: Identity) => boolean][]

describe('who may do what', () => {
  const named = (names: readonly string[]) => (names.length === all.length ? 'everybody' : names.join(', ') || 'nobody')
  for (const [what, allowed, ask] of table) {
    test(`${named(allowed)} may ${what}`, () => {
      expect(Object.entries(identities).flatMap(([name, who]) => (ask(who) ? [name] : []))).toEqual(allowed)
    })
  }
})

/** What an action is refused with: code and details; undefined where it is allowed. */
function refusal(attempt: () => void): unknown {
  try {
    attempt()
    return undefined
  } catch (problem) {
    if (!(problem instanceof CodedError)) throw problem
    return [problem.code, problem.details]
  }
}

describe('a refusal has the code of its rule, and names what it is about', () => {
  const { user, creator, caller } = identities
  const compiled = compilePermissions([{ permissions: { '*:*': ['join'] } }])
  const joiner = { ...user, permissions: 'permissions' in compiled ? compiled.permissions : user.permissions }
  const noBroadcast = room({ broadcast: undefined })
  const inBuiltInRoom = place(anybody, { isBuiltIn: true })
  const noSession = {
    path: '/headers/arqonbus-session',
    expected: 'the session of the client id: its rights belong to whoever holds that',
  }
  const cases: [string, () => void, unknown[]][] = [
    ['reading a private channel', () => authorize(user, 'read', secret), ['forbidden', { channel: 'room:channel' }]],
    [
      'being told who is in a private channel',
      () => authorize(user, 'presence', secret),
      ['forbidden', { channel: 'room:channel' }],
    ],
    [
      'being told who is in a channel without the grant',
      () => authorize(joiner, 'presence', open),
      ['forbidden', { channel: 'room:channel', requires: 'presence' }],
    ],
    [
      'being told who is in a room without the grant',
      () => authorize(joiner, 'presence', room({})),
      ['forbidden', { channel: 'room:*', requires: 'presence' }],
    ],
    [
      'publishing to a private channel',
      () => authorize(user, 'publish', secret),
      ['forbidden', { channel: 'room:channel' }],
    ],
    [
      'publishing to a channel of the bus',
      () => authorize(user, 'publish', own),
      ['system_channel', { channel: 'arqonbus:control' }],
    ],
    [
      'publishing to a room of the bus',
      () => authorize(user, 'broadcast', noBroadcast),
      ['system_channel', { channel: 'room:*' }],
    ],
    [
      'entering the room of the bus',
      () => authorize(user, 'enter', { room: 'arqonbus', channel: '*' }),
      ['system_room', { room: 'arqonbus' }],
    ],
    [
      'entering `pm`',
      () => authorize(user, 'enter', { room: 'room', channel: 'pm' }),
      ['system_channel', { channel: 'room:pm' }],
    ],
    [
      'creating what admins create',
      () => authorize(user, 'create', place(admins, { channel: 'pm' })),
      ['forbidden', { requires: 'admin' }],
    ],
    [
      'creating `pm`',
      () => authorize(user, 'create', place(anybody, { channel: 'pm' })),
      ['system_channel', { channel: 'room:pm' }],
    ],
    ['creating in a built-in room', () => authorize(user, 'create', inBuiltInRoom), ['system_room', { room: 'room' }]],
    [
      'deleting a channel of another client',
      () => authorize(user, 'delete', open),
      ['forbidden', { channel: 'room:channel' }],
    ],
    [
      'deleting a configured channel',
      () => authorize(creator, 'delete', configured),
      ['channel_hardcoded', { channel: 'room:channel' }],
    ],
    [
      'changing a system room',
      () => authorize(user, 'change', room({ type: 'system' })),
      ['room_hardcoded', { room: 'room' }],
    ],
    [
      'deleting a room of another client',
      () => authorize(user, 'delete_room', room({})),
      ['forbidden', { room: 'room' }],
    ],
    [
      'deleting a paused room without being an admin',
      () => authorize(creator, 'delete_room', room({ state: 'paused' })),
      ['room_paused', { room: 'room', requires: 'admin' }],
    ],
    ['using an inbox without its session', () => authorize(caller, 'inbox', 'user'), ['forbidden', noSession]],
    [
      'private messages in `integriguard`',
      () => authorize(user, 'send_private', 'integriguard'),
      ['system_channel', { channel: 'integriguard:pm' }],
    ],
    [
      'using the id of a connected client',
      () => authorize(caller, 'use_id', { isTaken: true }),
      ['client_id_in_use', { client_id: 'user' }],
    ],
  ]
  for (const [what, attempt, [code, details]] of cases) {
    test(`${what} is refused with ${code}`, () => expect(refusal(attempt)).toEqual([code, details]))
  }

  test('what is allowed throws nothing', () => expect(refusal(() => authorize(user, 'read', open))).toBeUndefined())
})

test('a command with the admin key runs as an admin, and the identity of its client stays as it is', () => {
  const { user, admin } = identities
  expect(asAdmin(user)).toEqual({ ...user, role: 'admin' })
  expect(user.role).toBe('user')
  expect(asAdmin(admin)).toBe(admin)
})

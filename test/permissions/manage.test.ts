/** Who may manage: creators, admins, and clients whose tokens grant `manage`, within the addresses of the grant. */
import { expect, test } from 'bun:test'
import { type CommandName, commands } from '@arqonbus/protocol'
import { startBus, type TestClient } from '@arqonbus/testing'
import { bearer, createIssuer } from '@arqonbus/testing/tokens'
import { caller } from '../api/call.ts'
import { commandNames, refused, run } from '../support/ask.ts'

const issuer = await createIssuer()
const bus = await startBus({ ...issuer.config, rateLimit: null, commandRate: null })
const all = ['join', 'publish', 'history', 'create', 'private', 'presence', 'telemetry', 'status']

/** The token of a client with these grants. */
const tokenOf = (sub: string, permissions: object, more: object = {}) =>
  issuer.token(sub, { claims: { arqonbus: { permissions, ...more } } })
const withToken = async (sub: string, permissions: object, more?: object) =>
  bus.connect({ query: { client_id: sub }, headers: bearer(await tokenOf(sub, permissions, more)) })

const creator = await withToken('creator', { '*:*': all, '@*': all })
const admin = await withToken('admin', {}, { role: 'admin' })
const manager = await withToken('manager', { 'lab*:*': ['manage'], '@bot-*': ['manage'] })
const partial = await withToken('partial', { 'lab:open-*': ['manage'] })
const other = await withToken('other', { 'else:*': ['manage'], '@else': ['manage'] })
const denied = await withToken(
  'denied',
  { '*:*': ['manage'], '@*': ['manage'] },
  { deny: { 'lab*:*': ['manage'], '@bot-*': ['manage'] } },
)

const managing = commandNames.filter((name) => {
  const { grant } = commands[name]
  // What is at the bus itself concerns no address.
  return grant !== 'nothing' && grant.at !== 'bus' && (grant.actions as readonly string[]).includes('manage')
})

let count = 0
/** What each command that needs `manage` is done to: something new of another client, each time. */
const targets: Partial<Record<CommandName, () => Promise<object>>> = {
  async pause_room() {
    await run(creator, 'create_channel', { channel: `lab:open-${++count}` })
    return { room: 'lab' }
  },
  resume_room: async () => ({ room: 'lab' }),
  async delete_channel() {
    const channel = `lab:open-${++count}`
    await run(creator, 'create_channel', { channel })
    return { channel }
  },
  async delete_room() {
    const room = `lab-${++count}`
    await run(creator, 'create_channel', { channel: `${room}:only` })
    await run(creator, 'delete_channel', { channel: `${room}:only` })
    return { room }
  },
  async invite() {
    const channel = `lab:open-${++count}`
    await run(creator, 'create_channel', { channel, type: 'private' })
    return { channel, client_id: 'guest' }
  },
  async remove_member() {
    const channel = `lab:open-${++count}`
    await run(creator, 'create_channel', { channel, type: 'private', metadata: { members: ['guest'] } })
    return { channel, client_id: 'guest' }
  },
  async delete_message() {
    const channel = `open-${++count}`
    const { position } = await creator.publish({ room: 'lab', channel, payload: {} })
    return { channel: `lab:${channel}`, position }
  },
  async disconnect_client() {
    const id = `bot-${++count}`
    await withToken(id, {})
    return { client_id: id }
  },
}

test('there is a target for each command that needs `manage`', () => {
  expect(Object.keys(targets).toSorted()).toEqual(managing.toSorted())
})

for (const name of managing) {
  const parameters = () => targets[name]!()
  const forbidden = async (client: TestClient) =>
    expect(await refused(client, name, await parameters())).toMatchObject({ code: 'forbidden' })

  test(`${name} is refused with the grant of another room, with a denial, and without one`, async () => {
    for (const client of [other, denied, await withToken(`none-${name.replaceAll('_', '-')}`, { 'lab:*': ['join'] })])
      await forbidden(client)
  })

  test(`${name} works for a client with the grant, and for an admin, by WebSocket and by HTTP`, async () => {
    await run(manager, name, await parameters())
    await run(admin, name, await parameters())
    const headers = bearer(await tokenOf('manager--1', { 'lab*:*': ['manage'], '@bot-*': ['manage'] }))
    const body = JSON.stringify(await parameters())
    expect((await caller(bus.httpUrl)(`/commands/${name}`, { body, headers })).status).toBe(200)
  })
}

test('a room is managed by those whose grant covers it, not by those whose grant covers some of its channels', async () => {
  await run(creator, 'create_channel', { channel: 'lab:open-x' })
  for (const name of ['pause_room', 'resume_room', 'delete_room'] as const)
    expect(await refused(partial, name, { room: 'lab' })).toMatchObject({ code: 'forbidden' })
  await run(partial, 'delete_channel', { channel: 'lab:open-x' })
})

test('a refusal is the same whether there is such a room, channel or client or not', async () => {
  const shown = async (name: CommandName, parameters: object) =>
    JSON.stringify(await refused(other, name, parameters)).replaceAll(/lab|none|bot-1|bot-none/g, 'X')
  await run(creator, 'create_channel', { channel: 'lab:there' })
  expect(await shown('pause_room', { room: 'lab' })).toBe(await shown('pause_room', { room: 'none' }))
  expect(await shown('delete_channel', { channel: 'lab:there' })).toBe(
    await shown('delete_channel', { channel: 'none:there' }),
  )
})

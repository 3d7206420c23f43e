/** Permissions that are read again apply to all clients: their subscriptions follow. */
import { expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, testConfig } from '@arqonbus/server'
import { refusal, startBus, type TestClient } from '@arqonbus/testing'
import { refused } from '../support/ask.ts'

const everything = ['join', 'publish', 'history', 'create', 'private', 'presence', 'telemetry', 'status']
/** Rules by which agents have these grants; everybody else may do everything. */
const withAgents = (permissions: object, deny?: object) => ({
  rules: [
    { client_type: 'human', permissions: { '*:*': everything, '@*': everything } },
    { client_type: 'ai-agent', permissions, ...(deny && { deny }) },
  ],
})

const agentOf = (bus: Awaited<ReturnType<typeof startBus>>, id: string, ...addresses: string[]) =>
  bus.connect({ query: { client_id: id, client_type: 'ai-agent', join: addresses } })
const event = (client: TestClient, address: string) => {
  const [room, channel] = address.split(':')
  return client.publish({ type: 'event', room: room!, channel: channel!, payload: { address } })
}
const heard = async (client: TestClient) =>
  (await client.everything()).map(({ room, channel, type, payload }) =>
    type === 'event' ? payload.address : `${room}:${channel} ${payload.event} ${payload.reason}`,
  )

test('subscriptions that may not be held any more end with a notice, and others go on', async () => {
  const bus = await startBus({ permissions: withAgents({ '*:*': everything }) })
  const boss = await bus.as('boss')
  const client = await agentOf(bus, 'bot', 'a:one', 'a:two', 'b:*', 'c:*')
  await event(client, 'a:one')
  await heard(client)
  expect(await bus.reloadPermissions(withAgents({ 'a:two': ['join'], 'c:*': ['join'] }))).toEqual([])
  for (const address of ['a:one', 'a:two', 'b:one', 'b:*', 'c:one']) await event(boss, address)
  expect(await heard(client)).toEqual([
    'b:* subscription_ended forbidden',
    'a:one subscription_ended forbidden',
    'a:two',
    'c:one',
  ])
  // Also where it published last, which is remembered.
  expect(await refusal(event(client, 'a:one'))).toMatchObject({ code: 'forbidden' })
})

test('a room goes on channel by channel where the grants cover only some of it, and as a whole again', async () => {
  const bus = await startBus({ permissions: withAgents({ '*:*': everything }) })
  const boss = await bus.as('boss')
  const client = await agentOf(bus, 'bot', 'a:*', 'a:one')
  const say = async (...channels: string[]) => {
    for (const channel of channels) await event(boss, `a:${channel}`)
    return heard(client)
  }
  expect(await say('one', 'two')).toEqual(['a:one', 'a:two'])
  await bus.reloadPermissions(withAgents({ 'a:*': ['join'] }, { 'a:two': ['join'] }))
  expect(await say('one', 'two', 'three')).toEqual(['a:one', 'a:three'])
  await bus.reloadPermissions(withAgents({ 'a:t*': ['join'] }))
  expect(await say('one', 'two', 'three')).toEqual(['a:one subscription_ended forbidden', 'a:two', 'a:three'])
  await bus.reloadPermissions(withAgents({ 'a:*': ['join'] }))
  expect(await say('one', 'two', 'three', 'four')).toEqual(['a:one', 'a:two', 'a:three', 'a:four'])
  await bus.reloadPermissions(withAgents({}))
  expect(await say('one', 'five')).toEqual(['a:* subscription_ended forbidden'])
})

test('telemetry subscribers without the grant are closed', async () => {
  const bus = await startBus({ permissions: withAgents({}) })
  const watcher = await bus.listen({ client_id: 'watcher' })
  await bus.reloadPermissions({ rules: [] })
  expect((await watcher.closed).code).toBe(4403)
})

test('a file is read again, and one that is wrong changes nothing and says where it is wrong', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'permissions-'))
  try {
    const file = join(folder, 'permissions.json')
    await writeFile(file, JSON.stringify(withAgents({ 'a:*': ['join', 'create'] }).rules))
    const bus = await startBus({ permissions: { file } })
    const client = await agentOf(bus, 'bot', 'a:one')
    expect(client.welcome.subscriptions).toEqual(['a:one'])
    await writeFile(file, JSON.stringify([{ client_type: 'robot', permissions: { 'a:b:c': ['join'] } }]))
    expect((await bus.reloadPermissions()).map(({ path }) => path)).toEqual(['/0/client_type', '/0/permissions/a:b:c'])
    await writeFile(file, '{')
    expect((await bus.reloadPermissions())[0]).toMatchObject({ expected: expect.stringContaining(file) })
    await client.command('join_channel', { channel: 'a:two' })
    await writeFile(file, '[]')
    expect(await bus.reloadPermissions()).toEqual([])
    expect(await refused(client, 'join_channel', { channel: 'a:two' })).toMatchObject({ code: 'forbidden' })
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a server does not start with permissions that are wrong', async () => {
  const permissions = { rules: [{ permissions: { science: ['join'] } }, { role: 'owner' }] }
  const started = startServer({ config: testConfig({ permissions }) })
  const problem = await started.then(
    () => undefined,
    (error: Error) => error.message,
  )
  expect(problem).toContain('ARQONBUS_PERMISSIONS')
  expect(problem).toContain('/0/permissions/science must be `room:channel`')
  expect(problem).toContain('/1/role must be one of user, admin')
})

/** Sends the examples of `docs/reference/commands.md` to a bus: each succeeds, with a result of the documented form. */
import { expect, test } from 'bun:test'
import { type CommandName, commands, compile } from '@arqonbus/protocol'
import { startBus, type TestClient } from '@arqonbus/testing'
import { ALL_PERMISSIONS, bearer, createIssuer } from '@arqonbus/testing/tokens'
import { examples } from '../scripts/docs/examples.ts'

const issuer = await createIssuer()
const bus = await startBus(issuer.config)
const tokenOfAda = () => issuer.token('ada', { claims: { arqonbus: { role: 'admin' } } })

const tokenOfBot = () =>
  issuer.token('bot-7', { claims: { arqonbus: { client_type: 'ai-agent', permissions: ALL_PERMISSIONS } } })

/** The order in which each example finds what it needs. */
const order: readonly CommandName[] = [
  'ping',
  'join_channel',
  'history',
  'set_presence',
  'presence',
  'status',
  'list_commands',
  'list_rooms',
  'list_channels',
  'list_clients',
  'channel_info',
  'create_channel',
  'delete_message',
  'invite',
  'remove_member',
  'delete_channel',
  'update_profile',
  'pause_room',
  'resume_room',
  'authenticate',
  'disconnect_client',
  'revoke',
  'reload',
  'leave_channel',
  'delete_room',
]

test('the order in which the examples run names every example of the reference', () => {
  expect(order.toSorted()).toEqual(Object.keys(examples).toSorted() as CommandName[])
})

test('the examples of the reference work as they are shown', async () => {
  const ada = await bus.connect({ query: { screen_name: 'Ada' }, headers: bearer(await tokenOfAda()) })
  // A room created by a join would be removed with its last channel, before it could be deleted.
  await ada.command('create_channel', { channel: 'science:explore' })
  await bus.connect({
    query: { personality: 'Curious', join: 'science:*' },
    headers: bearer(await tokenOfBot()),
  })
  const first = await ada.publish({ id: 'arq_01', room: 'science', channel: 'explore' })
  for (const id of ['arq_02', 'arq_03']) await ada.publish({ id, room: 'science', channel: 'explore' })
  for (const name of order) await runExample(ada, name, first.position!)
})

async function runExample(client: TestClient, name: CommandName, first: string): Promise<void> {
  if (name === 'delete_room') await client.command('delete_channel', { channel: 'science:explore' })
  const shown = examples[name]
  const parameters = name === 'authenticate' ? { token: await tokenOfAda() } : atThisTime(shown.parameters, first)
  const result = (await client.command(name, parameters as never)) as Record<string, unknown>
  expect({ name, fault: compile(commands[name].result)(result) }).toEqual({ name, fault: undefined })
  expect({ name, keys: Object.keys(result).sort() }).toEqual({ name, keys: Object.keys(shown.result).sort() })
}

/** Replaces the positions of an example, which are of another day. */
function atThisTime(parameters: object, first: string): object {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [
      key,
      key === 'since' || key === 'after' || key === 'position' ? first : value,
    ]),
  )
}

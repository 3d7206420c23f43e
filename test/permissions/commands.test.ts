/**
 * Every command, by WebSocket and by HTTP, with and without the grant that its declaration names. The cases are made
 * from the declarations: a new command has its cases as soon as it is declared.
 */
import { expect, test } from 'bun:test'
import { type CommandName, type CommandShape, commands, type ErrorBody, type GrantAction } from '@arqonbus/protocol'
import { startBus, type TestBus } from '@arqonbus/testing'
import { caller } from '../api/call.ts'
import { commandNames } from '../support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const asAdmin = { authorization: `Bearer ${adminKey}` }

/** What each command is sent with beside its target. */
const more: Partial<Record<CommandName, object>> = { history: { limit: 1 }, set_presence: { status: null } }

const shapeOf = (name: CommandName): CommandShape => commands[name]
const actionsOf = (name: CommandName): readonly GrantAction[] => {
  const { grant } = shapeOf(name)
  return grant === 'nothing' ? [] : grant.actions
}

/** What a command is sent with: a channel that is there, or one that is not, in a room that is there. */
function parametersOf(name: CommandName, channel: string): object {
  const { grant, parameters } = shapeOf(name)
  const fields = (parameters as unknown as { properties: object }).properties
  const target = (() => {
    if (grant === 'nothing' || grant.at === 'bus') return {}
    if (grant.at === 'client') return {}
    return 'channel' in fields ? { channel: `lab:${channel}` } : { room: 'lab' }
  })()
  return {
    ...target,
    ...('client_id' in fields && { client_id: 'victim' }),
    ...('position' in fields && { position: '1-1' }),
    ...more[name],
  }
}

/** A bus on which all clients have these grants, with what the commands are about. */
async function busWith(rule: { permissions?: object; deny?: object }): Promise<TestBus> {
  const bus = await startBus({ adminKey, permissions: { rules: [rule] }, rateLimit: null, commandRate: null })
  const admin = await bus.connect({ query: { client_id: 'admin' }, headers: asAdmin })
  await admin.command('create_channel', { channel: 'lab:open' })
  await admin.command('create_channel', { channel: 'other:open' })
  await bus.as('victim')
  return bus
}

/** What a refusal says: `no grant` where that is why. */
const reasonOf = (error: ErrorBody | undefined): string | undefined =>
  error?.code === 'forbidden' && error.details?.requires !== undefined ? 'no grant' : error?.code

/** Why each command is refused; undefined where it is not. */
async function refusals(bus: TestBus, names: readonly CommandName[], channel: string) {
  const client = await bus.connect({ query: { client_id: 'asker', session: 'none' } })
  const call = caller(bus.httpUrl)
  const found: Record<string, string | undefined> = {}
  for (const name of names) {
    const parameters = parametersOf(name, channel)
    const id = client.send({ type: 'command', payload: { name, parameters } })
    const answer = await client.answer(id)
    found[`${name} by WebSocket`] = reasonOf(answer.error)
    if (shapeOf(name).needs_connection) continue
    const { body } = await call(`/commands/${name}`, { body: JSON.stringify(parameters) })
    found[`${name} by HTTP`] = reasonOf(body.error)
  }
  await client.close()
  return found
}

const forbiddenAmong = (found: Readonly<Record<string, string | undefined>>): string[] =>
  Object.keys(found).filter((what) => found[what] === 'no grant')

const needing = commandNames.filter((name) => actionsOf(name).length > 0)
/** Without `manage`, which no configuration grants to clients that show no token. */
const actions = [...new Set(needing.flatMap(actionsOf))].filter((action) => action !== 'manage')
const patterns = { 'lab:*': 1, 'arqonbus:control': 1, '@victim': 1 }
const granting = (action: GrantAction) => Object.fromEntries(Object.keys(patterns).map((one) => [one, [action]]))

test('without any grant every command that needs one is forbidden, whether its target exists or not', async () => {
  const bus = await busWith({})
  for (const channel of ['open', 'missing']) {
    const found = await refusals(bus, needing, channel)
    expect(forbiddenAmong(found)).toEqual(Object.keys(found))
  }
})

test('without any grant the commands about the client itself work', async () => {
  const bus = await busWith({})
  const names = commandNames.filter((name) => actionsOf(name).length === 0)
  expect(names).toEqual(
    expect.arrayContaining(['ping', 'list_commands', 'leave_channel', 'update_profile', 'authenticate']),
  )
  // A token has tests of its own, in `test/auth/`.
  const plain = names.filter((name) => name !== 'authenticate')
  expect(forbiddenAmong(await refusals(bus, plain, 'open'))).toEqual([])
})

for (const action of actions) {
  const named = needing.filter((name) => actionsOf(name).includes(action))

  test(`with the grant ${action} the commands that name it are not forbidden: ${named.join(', ')}`, async () => {
    const bus = await busWith({ permissions: granting(action) })
    const found = await refusals(bus, needing, 'missing')
    const isNamed = (what: string) => named.includes(what.split(' ')[0] as CommandName)
    expect(forbiddenAmong(found)).toEqual(Object.keys(found).filter((what) => !isNamed(what)))
  })

  test(`with ${action} denied, or granted elsewhere, they are forbidden`, async () => {
    const denied = await busWith({ permissions: granting(action), deny: granting(action) })
    const elsewhere = await busWith({ permissions: { 'other:*': [action], '@other': [action] } })
    for (const bus of [denied, elsewhere]) {
      const found = await refusals(bus, named, 'open')
      expect(forbiddenAmong(found)).toEqual(Object.keys(found))
    }
  })
}

test('an admin needs no grant', async () => {
  const bus = await busWith({})
  const admin = await bus.connect({ query: { client_id: 'boss' }, headers: asAdmin })
  const last: readonly CommandName[] = ['delete_channel', 'disconnect_client']
  for (const name of [...needing.filter((one) => !last.includes(one)), ...last]) {
    const id = admin.send({ type: 'command', payload: { name, parameters: parametersOf(name, 'open') } })
    const answer = await admin.answer(id)
    expect({ name, code: answer.error?.code }).not.toEqual({ name, code: 'forbidden' })
  }
})

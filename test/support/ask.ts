/** Sends commands to a bus, and checks the replies. */
import { expect } from 'bun:test'
import { type CommandName, type CommandResult, commands, compile, type ErrorBody } from '@arqonbus/protocol'
import { type Publish, refusal, type TestClient } from '@arqonbus/testing'

/** The names of all commands. */
export const commandNames = Object.keys(commands) as CommandName[]

const checks = new Map(commandNames.map((name) => [name, compile(commands[name].result)]))

/** Runs a command and checks that the result has the declared form. */
export async function run<Name extends CommandName>(
  client: TestClient,
  name: Name,
  parameters?: object,
  fields?: Publish,
): Promise<CommandResult<Name>> {
  const id = client.send({ type: 'command', payload: { name, ...(parameters && { parameters }) }, ...fields })
  const answer = await client.answer(id)
  expect(answer).toMatchObject({
    request_id: id,
    command: name,
    requester: client.id,
    status: 'success',
    response_format: `${name}_result`,
  })
  const fault = checks.get(name)!(answer.result)
  expect({ result: answer.result, fault }).toEqual({ result: answer.result, fault: undefined })
  return answer.result as CommandResult<Name>
}

/** Runs a command that must be refused, with any parameters; resolves to the error. */
export const refused = (client: TestClient, name: string, parameters?: unknown, fields?: Publish): Promise<ErrorBody> =>
  refusal(client.command(name as CommandName, parameters as never, fields))

/** A room in `status`; undefined if there is none. */
export const roomOf = async (client: TestClient, name: string) =>
  (await client.command('status')).rooms.find((room) => room.name === name)

/** A channel in `channel_info`. */
export const channelOf = async (client: TestClient, channel: string) =>
  (await client.command('channel_info', { channel })).channel

/** The channels of a room; empty if there is no room. */
export const channelsOf = async (client: TestClient, name: string) => (await roomOf(client, name))?.channels ?? []

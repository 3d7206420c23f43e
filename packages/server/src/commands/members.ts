/** Members of private channels: they are listed in `metadata.members`, whose text is otherwise left as it was written. */
import { CodedError, commands, finish, nameOf, readMembers } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { RawJson } from '../kit/raw-json.ts'
import type { Channel } from '../state/model.ts'
import { type CommandCall, command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `invite`: makes a client a member of a private channel. */
export const invite = (deps: CommandDeps) =>
  command(commands.invite, (call) => {
    const { client_id } = call.parameters
    const channel = privateChannel(deps, call)
    const added = !channel.members!.has(client_id)
    if (added) setMembers(deps, channel, client_id, [...channel.members!, client_id])
    return { channel: channel.address, client_id, added }
  })

/** `remove_member`: ends the membership of a client, and its subscription. */
export const removeMember = (deps: CommandDeps) =>
  command(commands.remove_member, (call) => {
    const { client_id } = call.parameters
    const channel = privateChannel(deps, call)
    const removed = channel.members!.has(client_id)
    const others = [...channel.members!].filter((member) => member !== client_id)
    if (removed) setMembers(deps, channel, client_id, others)
    return { channel: channel.address, client_id, removed }
  })

function privateChannel(
  { resolver }: CommandDeps,
  { address, identity }: Pick<CommandCall, 'address' | 'identity'>,
): Channel {
  const channel = resolver.room(address.room).channels.get(address.channel)
  const name = `${address.room}:${address.channel}`
  if (channel === undefined) throw resolver.notFound('channel_not_found', { channel: name })
  authorize(identity, 'change_members', channel)
  if (channel.type !== 'private')
    throw new CodedError('channel_type_mismatch', { channel: name, expected: 'private', actual: channel.type })
  // The configuration lists them, and would list them again after a restart.
  if (channel.hardcoded) throw new CodedError('channel_hardcoded', { channel: name })
  return channel
}

function setMembers(
  { rooms, announcer, maxMetadataBytes }: CommandDeps,
  channel: Channel,
  clientId: string,
  members: readonly string[],
): void {
  const text = withMembers(channel.metadata?.text, members)
  const isLonger = members.length > channel.members!.size
  if (isLonger && Buffer.byteLength(text) > maxMetadataBytes)
    throw invalidParameter(
      'client_id',
      `fewer members: the metadata of a channel has at most ${maxMetadataBytes} bytes`,
    )
  rooms.setMembers(channel, RawJson.copyOf(text))
  announcer.announce({ type: 'membership', clientId, room: channel.room.name, channel: channel.name })
}

/** The metadata with these members. A list that is there is replaced where it stands. */
function withMembers(metadata: string | undefined, members: readonly string[]): string {
  const list = JSON.stringify(members)
  if (metadata === undefined) return `{"members":${list}}`
  const all = finish(readMembers(metadata, 0))
  // The last one of a name that is repeated counts.
  const before = all.findLast((member) => nameOf(member) === 'members')
  if (before !== undefined) return metadata.slice(0, before.start) + list + metadata.slice(before.end)
  const rest = metadata.trimStart().slice(1)
  return `{"members":${list}${all.length === 0 ? '' : ','}${rest}`
}

import { CodedError, commands, type DurabilityLevel, durabilityLevels, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `create_channel`: creates a channel, and its room if that does not exist. */
export const createChannel = ({ rooms, creation, durability, maxMetadataBytes, created, persistence }: CommandDeps) =>
  command(commands.create_channel, ({ parameters, address, identity }) => {
    const { type = 'general', metadata, options, room_config: config } = parameters
    const { room: roomName, channel: name } = address
    if (name === WHOLE_ROOM) throw invalidParameter('channel', 'one channel, not `*`')
    checkBytes('metadata', metadata, maxMetadataBytes)
    checkBytes('room_config', config, maxMetadataBytes)
    const existing = rooms.get(roomName)
    if (config !== undefined && existing !== undefined)
      throw invalidParameter('room_config', 'to be absent: the room is there already')
    authorize(identity, 'create', { ...address, roomType: existing?.type, creation })
    if (existing?.channels.has(name)) throw new CodedError('channel_exists', { channel: `${roomName}:${name}` })
    checkLevel(options?.durability, durability())
    if (type === 'private') persistence?.checkPrivate()
    const wanted = { name, type, createdBy: identity.id, metadata, options }
    const channel =
      existing === undefined
        ? rooms.createWithRoom({ name: roomName, type: 'user', createdBy: identity.id, config }, wanted)
        : rooms.createChannel(existing, wanted)
    created(channel)
    return { channel: channelView(channel, 0) }
  })

function checkBytes(path: string, value: object | undefined, most: number): void {
  if (value !== undefined && Buffer.byteLength(JSON.stringify(value)) > most)
    throw invalidParameter(path, `at most ${most} bytes of JSON`)
}

function checkLevel(asked: DurabilityLevel | undefined, best: DurabilityLevel): void {
  if (asked !== undefined && durabilityLevels.indexOf(asked) > durabilityLevels.indexOf(best)) {
    throw new CodedError('storage_unavailable', { asked: { level: asked }, available: { level: best } })
  }
}

import { CodedError, commands, type DurabilityLevel, durabilityLevels, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize, type CreationPolicy } from '../auth/access.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { Channel } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'

/** What `create_channel` needs. */
export type CreateDeps = {
  readonly rooms: Rooms
  readonly creation: CreationPolicy
  /** The best level that the log can give. */
  readonly durability: () => DurabilityLevel
  /** Bytes of `metadata`, and of `room_config`, as JSON. */
  readonly maxMetadataBytes: number
  readonly created: (channel: Channel) => void
  /** Where rooms and channels are kept over restarts. */
  readonly persistence: Pick<Persistence, 'checkPrivate'> | undefined
}

/** `create_channel`: creates a channel, and its room if that does not exist. */
export const createChannel = ({ rooms, creation, durability, maxMetadataBytes, created, persistence }: CreateDeps) =>
  command(commands.create_channel, ({ parameters, address, identity }) => {
    const { type = 'general', metadata, options, room_config: config } = parameters
    const { room: roomName, channel: name } = address
    if (name === WHOLE_ROOM) throw fault('/parameters/channel', 'one channel, not `*`')
    checkBytes('/parameters/metadata', metadata, maxMetadataBytes)
    checkBytes('/parameters/room_config', config, maxMetadataBytes)
    const existing = rooms.get(roomName)
    if (config !== undefined && existing !== undefined)
      throw fault('/parameters/room_config', 'to be absent: the room is there already')
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
    throw fault(path, `at most ${most} bytes of JSON`)
}

function checkLevel(asked: DurabilityLevel | undefined, best: DurabilityLevel): void {
  if (asked !== undefined && durabilityLevels.indexOf(asked) > durabilityLevels.indexOf(best)) {
    throw new CodedError('storage_unavailable', { asked: { level: asked }, available: { level: best } })
  }
}

const fault = (path: string, expected: string): CodedError => new CodedError('invalid_parameters', { path, expected })

import {
  type ChannelOptions,
  CodedError,
  commands,
  type DurabilityLevel,
  durabilityLevels,
  memberText,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { creatorOf } from '../auth/identity.ts'
import { RawJson } from '../kit/raw-json.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps, Retention } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `create_channel`: creates a channel, and its room if that does not exist. */
export const createChannel = (deps: CommandDeps) => {
  const { rooms, creation, durability, maxMetadataBytes, retention, created, persistence } = deps
  return command(commands.create_channel, ({ parameters, payloadText, address, identity, requester }) => {
    const { type = 'general', options } = parameters
    const written = (name: 'metadata' | 'room_config') =>
      parameters[name] && keptText(name, memberText(payloadText, 'parameters', name)!, maxMetadataBytes)
    checkRetention(options, retention)
    const metadata = written('metadata')
    const config = written('room_config')
    const { room: roomName, channel: name } = address
    if (name === WHOLE_ROOM) throw invalidParameter('channel', 'one channel, not `*`')
    const existing = rooms.get(roomName)
    if (config !== undefined && existing !== undefined)
      throw invalidParameter('room_config', 'to be absent: the room is there already')
    authorize(identity, 'create', { ...address, isBuiltIn: existing?.builtIn === true, creation })
    if (existing?.channels.has(name)) throw new CodedError('channel_exists', { channel: `${roomName}:${name}` })
    checkLevel(options?.durability, durability())
    if (type === 'private') persistence?.checkPrivate()
    const { account } = requester
    rooms.budgets.checkMetadata(account, [metadata, config])
    const creator = { ...creatorOf(identity), account }
    const wanted = { name, type, ...creator, metadata, options }
    const channel =
      existing === undefined
        ? rooms.createWithRoom({ name: roomName, type: 'user', ...creator, config }, wanted)
        : rooms.createChannel(existing, wanted)
    created(channel)
    return { channel: RawJson.of(channelView(channel, 0)) }
  })
}

/** Only the configuration can have a channel keep more than the settings say. */
function checkRetention(options: ChannelOptions | undefined, { historySize, historyTtlMs }: Retention): void {
  if (options?.history_size !== undefined && options.history_size > historySize)
    throw invalidParameter('options/history_size', `at most ${historySize} (ARQONBUS_HISTORY_SIZE)`)
  if (options?.history_ttl_ms !== undefined && options.history_ttl_ms > historyTtlMs)
    throw invalidParameter('options/history_ttl_ms', `at most ${historyTtlMs} (ARQONBUS_HISTORY_TTL)`)
}

/** An object of the client, as it was written. */
function keptText(path: string, text: string, most: number): RawJson {
  if (Buffer.byteLength(text) > most) throw invalidParameter(path, `at most ${most} bytes of JSON`)
  return RawJson.copyOf(text)
}

function checkLevel(asked: DurabilityLevel | undefined, best: DurabilityLevel): void {
  if (asked !== undefined && durabilityLevels.indexOf(asked) > durabilityLevels.indexOf(best)) {
    throw new CodedError('storage_unavailable', { asked: { level: asked }, available: { level: best } })
  }
}

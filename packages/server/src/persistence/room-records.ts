/** What is written of rooms and channels, and which of two records of one name is right. */
import { RawJson } from '../kit/raw-json.ts'
import type { Channel, Room } from '../state/model.ts'
import type { ChannelRecord, RoomRecord } from '../state/records.ts'
import { channelText, roomText } from './record-text.ts'

/** The text of each that is kept; undefined for channels that the configuration or the bus itself makes. */
export type RecordTexts = {
  /** For a configured room the record by which its other channels are found when the configuration does not list it. */
  ofRoom(room: Room): string
  /** Undefined where channels are not kept. */
  readonly ofChannel: ((channel: Channel) => string | undefined) | undefined
}

/** What is kept, as the setting names it. */
export type Persisted = readonly ('messages' | 'rooms' | 'channels' | 'sessions')[]

/**
 * Channels are kept with their rooms. Where messages are kept and these are not, enough is written to find the messages
 * again, and to know who may read them. Undefined where neither is kept.
 */
export function recordTexts(persist: Persisted): RecordTexts | undefined {
  const isChannels = persist.includes('channels')
  const isRooms = isChannels || persist.includes('rooms')
  const isMessages = persist.includes('messages')
  if (!isRooms && !isMessages) return undefined
  const ofChannel = isChannels ? textOfChannel : isMessages ? addressOfChannel : undefined
  return { ofRoom: isRooms ? textOfRoom : addressOfRoom, ofChannel }
}

function textOfRoom(room: Room): string {
  const { name, type, state, createdAt, createdBy, holder, config } = room
  return type === 'system' ? addressOfRoom(room) : roomText({ name, type, state, createdAt, createdBy, holder, config })
}

const addressOfRoom = ({ name, createdAt }: Room): string =>
  roomText({
    name,
    type: 'dynamic',
    state: 'active',
    createdAt,
    createdBy: undefined,
    holder: undefined,
    config: undefined,
  })

function textOfChannel(channel: Channel): string | undefined {
  const { room, name, type, createdAt, createdBy, holder, metadata, options, hardcoded, autoCreated } = channel
  if (hardcoded || (type !== 'general' && type !== 'private')) return undefined
  return channelText({ room: room.name, name, type, createdAt, createdBy, holder, metadata, options, autoCreated })
}

/** It goes when its history has expired, as one that was made on demand. */
function addressOfChannel(channel: Channel): string | undefined {
  const { room, name, type, createdAt, createdBy, holder, members, options, hardcoded } = channel
  if (hardcoded || (type !== 'general' && type !== 'private')) return undefined
  const isPrivate = type === 'private'
  return channelText({
    room: room.name,
    name,
    type,
    createdAt,
    createdBy: isPrivate ? createdBy : undefined,
    holder: isPrivate ? holder : undefined,
    metadata: isPrivate ? RawJson.of({ members: [...(members ?? [])] }) : undefined,
    options,
    autoCreated: true,
  })
}

/**
 * True where what the store has is right, and what is here has to become it. A private channel is never made open by
 * another one of its name; else the one that was made first is right, because the other one was created by a server
 * that could not know of it.
 */
export function winsOver(record: RoomRecord | ChannelRecord, here: Room | Channel): boolean {
  if (record.type === 'private' || here.type === 'private')
    if (record.type !== here.type) return record.type === 'private'
  return record.createdAt < here.createdAt
}

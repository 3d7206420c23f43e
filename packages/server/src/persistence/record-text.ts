/** Records as text, and back. A record of another program is ignored and left as it is. */
import { isName, memberText } from '@arqonbus/protocol'
import { encode, RawJson } from '../kit/raw-json.ts'
import type { ChannelRecord, RoomRecord, SessionRecord } from '../state/records.ts'

/** What is written of a record. Names are not: they are the keys. */
export const roomText = ({ name: _, ...rest }: RoomRecord): string => encode(rest)
export const channelText = ({ room: _, name: __, ...rest }: ChannelRecord): string => encode(rest)
/** That of a session has its id: it is read without its key. */
export const sessionText = (record: SessionRecord): string => JSON.stringify(record)

/** The room of that name. */
export function roomIn(name: string, text: string): RoomRecord | undefined {
  const value = objectIn(text)
  if (value === undefined || !isName(name)) return undefined
  const { type, state, createdAt, createdBy, holder, config } = value
  if ((type !== 'user' && type !== 'dynamic') || (state !== 'active' && state !== 'paused')) return undefined
  if (!isTime(createdAt) || !isOptionalString(createdBy) || !isOptionalString(holder)) return undefined
  if (!isOptionalObject(config)) return undefined
  return { name, type, state, createdAt, createdBy, holder, config: config && rawIn(text, 'config') }
}

/** The channel of that address. */
export function channelIn(address: string, text: string): ChannelRecord | undefined {
  const value = objectIn(text)
  const [room, name, more] = address.split(':')
  if (value === undefined || room === undefined || name === undefined || more !== undefined) return undefined
  if (!isName(room) || !isName(name)) return undefined
  const { type, createdAt, createdBy, holder, metadata, options, autoCreated } = value
  if ((type !== 'general' && type !== 'private') || typeof autoCreated !== 'boolean') return undefined
  if (!isTime(createdAt) || !isOptionalString(createdBy) || !isOptionalString(holder)) return undefined
  if (!isOptionalObject(metadata) || !isOptionalObject(options)) return undefined
  const kept = metadata && rawIn(text, 'metadata')
  return { room, name, type, createdAt, createdBy, holder, metadata: kept, options, autoCreated }
}

/** A session. */
export function sessionIn(text: string): SessionRecord | undefined {
  const value = objectIn(text)
  if (value === undefined) return undefined
  const { clientId, secretHash, profile, subscriptions, until } = value
  if (typeof clientId !== 'string' || typeof secretHash !== 'string' || !isTime(until)) return undefined
  if (Buffer.from(secretHash, 'base64url').length !== HASH_BYTES) return undefined
  if (!isObject(profile) || typeof profile.clientType !== 'string') return undefined
  if (!Array.isArray(subscriptions)) return undefined
  return value as SessionRecord
}

/** SHA-256. */
const HASH_BYTES = 32

/** A member of a record that clients wrote, as they wrote it. */
const rawIn = (text: string, name: string): RawJson => RawJson.copyOf(memberText(text, name)!)

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isOptionalObject = (value: unknown): value is Record<string, unknown> | undefined =>
  value === undefined || isObject(value)
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isOptionalString = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string'

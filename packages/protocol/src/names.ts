/**
 * The patterns of names on the wire (docs/protocol.md#the-envelope), shared by the schemas, the parser and the SDKs.
 */

/** A room or a channel: 1 to 64 characters. */
export const namePattern = '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}'

/** A client id: 1 to 128 characters. */
export const clientIdPattern = '[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}'

/** A message id: the prefix `arq_` and 1 to 64 characters. */
export const messageIdPattern = 'arq_[A-Za-z0-9_-]{1,64}'

const name = new RegExp(`^${namePattern}$`)
const clientId = new RegExp(`^${clientIdPattern}$`)
const messageId = new RegExp(`^${messageIdPattern}$`)

/** True for the name of a room or of a single channel (not for `*`). */
export const isName = (text: string): boolean => name.test(text)

/** True for a client id. `arqonbus` is reserved for the bus itself. */
export const isClientId = (text: string): boolean => clientId.test(text)

/** True for a message id. */
export const isMessageId = (text: string): boolean => messageId.test(text)

/** The client id of the bus, and its room. */
export const BUS = 'arqonbus'

/** The channel of frames that concern no other channel, in the room of the bus. */
export const CONTROL_CHANNEL = 'control'

/** The room for telemetry. */
export const TELEMETRY_ROOM = 'integriguard'

/** The channel name that means a whole room. */
export const WHOLE_ROOM = '*'

/** The channel for private messages in any room. */
export const PM_CHANNEL = 'pm'

/** The address of a channel, `room:channel`, or of a whole room, `room:*`. */
export type Address = { readonly room: string; readonly channel: string }

/** Splits `room:channel`; undefined unless both parts are names (or the channel is `*`). */
export function parseAddress(text: string): Address | undefined {
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  const room = text.slice(0, colon)
  const channel = text.slice(colon + 1)
  return isName(room) && (channel === WHOLE_ROOM || isName(channel)) ? { room, channel } : undefined
}

/** Writes an address as `room:channel`. */
export const addressText = (address: Address): string => `${address.room}:${address.channel}`

/**
 * Patterns of addresses: `*` for a whole room name or channel name, one trailing `*` inside a name
 * (docs/guide/webhooks.md#events).
 */
import { isName, WHOLE_ROOM } from '@arqonbus/protocol'

/** A pattern of a room or channel name. */
type NamePattern = { readonly prefix: string; readonly isExact: boolean }

/** A pattern of `room:channel`. */
export type AddressPattern = {
  readonly room: NamePattern
  readonly channel: NamePattern
  /** True where it names one channel. */
  readonly isExact: boolean
}

/** The pattern of a name, such as `*`, `agent-*` or `general`; undefined for any other text. */
export function namePattern(text: string): NamePattern | undefined {
  const isExact = !text.endsWith('*')
  const prefix = isExact ? text : text.slice(0, -1)
  // One character behind the prefix is a name too: what no name can begin with is a mistake.
  const isValid = isExact ? isName(text) : prefix === '' || isName(prefix)
  return isValid ? { prefix, isExact } : undefined
}

/** The pattern of an address, such as `science:*`; undefined for any other text. */
export function addressPattern(text: string): AddressPattern | undefined {
  const [ofRoom = '', ofChannel = '', ...rest] = text.split(':')
  const room = namePattern(ofRoom)
  const channel = namePattern(ofChannel)
  if (room === undefined || channel === undefined || rest.length > 0) return undefined
  return { room, channel, isExact: room.isExact && channel.isExact }
}

/** True where a name fits. */
export const fitsName = ({ prefix, isExact }: NamePattern, name: string): boolean =>
  isExact ? name === prefix : name.startsWith(prefix)

/** True where an address fits. The channel `*`, the whole room, fits the pattern `*` alone. */
export const fitsAddress = ({ room, channel }: AddressPattern, ofRoom: string, ofChannel: string): boolean =>
  fitsName(room, ofRoom) && (ofChannel === WHOLE_ROOM ? isAny(channel) : fitsName(channel, ofChannel))

const isAny = ({ prefix, isExact }: NamePattern): boolean => prefix === '' && !isExact

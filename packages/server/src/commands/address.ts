/** Where a command goes (docs/protocol.md#commands). */
import { type Address, parseAddress } from '@arqonbus/protocol'
import { invalidParameter } from './invalid-parameter.ts'

/**
 * The address of a command: `{ room, channel }`, or `{ channel: "room:channel" }`; what is missing comes from the
 * envelope.
 */
export function addressOf(parameters: { room?: unknown; channel?: unknown }, envelope: Address): Address {
  const { room, channel } = parameters
  const whole = typeof channel === 'string' ? parseAddress(channel) : undefined
  if (whole === undefined) {
    return {
      room: typeof room === 'string' ? room : envelope.room,
      channel: typeof channel === 'string' ? channel : envelope.channel,
    }
  }
  if (typeof room === 'string' && room !== whole.room)
    throw invalidParameter('room', `the room of \`channel\`, ${whole.room}, or none`)
  return whole
}

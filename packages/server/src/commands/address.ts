/** Where a command goes (docs/protocol.md#commands). */
import { type Address, CodedError, parseAddress } from '@arqonbus/protocol'

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
  if (typeof room === 'string' && room !== whole.room) {
    throw new CodedError('invalid_parameters', {
      path: '/parameters/room',
      expected: `the room of \`channel\`, ${whole.room}, or none`,
    })
  }
  return whole
}

import { type Address, parseAddress } from '@arqonbus/protocol/names'
import { ArqonBusError } from './errors.ts'

/** Splits `room:channel`. Any other text is refused here, before a frame is written. */
export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address !== undefined) return address
  const details = { path: '/channel', expected: 'room:channel' }
  throw new ArqonBusError('invalid_parameters', 400, {
    message: `"${text}" is not an address: write room:channel.`,
    details,
  })
}

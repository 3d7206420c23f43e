import { type Address, parseAddress } from '@arqonbus/protocol/names'
import { ArqonBusError } from './errors.ts'

/** Splits `room:channel`; anything else is refused here, before a frame is made of it. */
export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address !== undefined) return address
  const details = { path: '/channel', expected: 'room:channel' }
  throw new ArqonBusError('invalid_parameters', 400, { message: `"${text}" is not an address: room:channel.`, details })
}

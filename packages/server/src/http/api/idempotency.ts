/**
 * `Idempotency-Key`: a message gets its id from the key, so that one that is sent again is known again, as messages with
 * an id of their own are (docs/guide/http-api.md#retries): on every node, and after a restart where the log survives it.
 */
import { createHash, createHmac } from 'node:crypto'
import { networkOf } from '../../kit/ip-address.ts'
import { wrong } from './credentials.ts'

const HEADER = 'headers/idempotency-key'
const MOST_LENGTH = 255

/** The key of a request. One in quotes, as a structured field is written, is what is between them. */
export function readKey(headers: Headers): string | undefined {
  const text = headers.get('idempotency-key')
  if (text === null) return undefined
  const key = /^"[^"]*"$/.test(text) ? text.slice(1, -1) : text
  if (key.length > MOST_LENGTH || !/^[!-~]+$/.test(key))
    throw wrong(HEADER, `1 to ${MOST_LENGTH} visible ASCII characters`)
  return key
}

/** The refusal of a message with an id of its own in a request with a key. */
export const ownId = () => wrong(HEADER, 'to be absent, or the message without `id`: the key gives it one')

const digest = (...parts: readonly (string | number)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url')

/** Characters of a digest, of 6 bits each. */
const ID_LENGTH = 32
const CLIENT_LENGTH = 20

/** Where a message goes to, and the number of the message in its request. */
type KeyedMessage = { readonly from: string; readonly room: string; readonly channel: string; readonly index: number }

/** The id of a message under a key: a caller may use the key again for another channel. */
export const keyedId = (key: string, { from, room, channel, index }: KeyedMessage): string =>
  `arq_${digest('id', from, room, channel, index, key).slice(0, ID_LENGTH)}`

/**
 * The client id of a request without one: requests with the same key from the same address are from the same caller. A
 * key may be easy to guess: a caller elsewhere that uses the same one is another caller. Every subscriber sees the id, so
 * it takes a secret to find the address in it.
 */
export function keyedClient(key: string, address: string, secret: string): string {
  const parts = JSON.stringify(['client', networkOf(address), key])
  return `api-${createHmac('sha256', secret).update(parts).digest('base64url').slice(0, CLIENT_LENGTH)}`
}

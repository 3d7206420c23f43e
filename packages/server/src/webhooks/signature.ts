/** Signs requests as Standard Webhooks has it: HMAC-SHA256 of `id.timestamp.body`, base64, with the version `v1`. */
import { createHmac } from 'node:crypto'

/** What is signed. `timestamp` is in seconds since 1970. */
type Signed = { readonly id: string; readonly timestamp: number; readonly body: string }

/** The headers of a request. While a secret is being replaced there are several, and as many signatures. */
export function signedHeaders(keys: readonly Uint8Array[], { id, timestamp, body }: Signed): Record<string, string> {
  const sign = (key: Uint8Array) => createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': keys.map((key) => `v1,${sign(key)}`).join(' '),
  }
}

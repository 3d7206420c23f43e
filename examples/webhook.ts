// Receives webhooks: checks the signature of each request (https://www.standardwebhooks.com), and prints each event once.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'

const key = Buffer.from(process.env.WEBHOOK_SECRET?.replace('whsec_', '') ?? '', 'base64')
if (key.length < 24) throw new Error('WEBHOOK_SECRET must be the secret of the webhook')

const TOLERANCE_SECONDS = 300

/** True where the request is from the bus, and was sent a moment ago. */
function isGenuine({ headers }: IncomingMessage, body: string): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures = '' } = headers
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < TOLERANCE_SECONDS)) return false
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  // While a secret is being replaced, there are several signatures.
  return String(signatures)
    .split(' ')
    .some((signature) => {
      const [version, encoded = ''] = signature.split(',')
      const given = Buffer.from(encoded, 'base64')
      return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
    })
}

/** Ids of events that were handled: an event can come twice. A real receiver keeps these where its data is. */
const handled = new Set<string>()

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  // The signature is that of the bytes: parse them only afterwards, and never sign what was parsed.
  const body = Buffer.concat(chunks).toString()
  if (!isGenuine(request, body)) {
    response.writeHead(401).end()
    return
  }
  for (const { id, type, data, dropped = 0 } of JSON.parse(body).data.events) {
    if (dropped > 0) console.log(`${dropped} events are missing here`)
    if (handled.has(id)) continue
    handled.add(id)
    console.log(type, JSON.stringify(data))
  }
  response.writeHead(204).end()
})

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on port ${address.port}`)
})

/** A receiver of webhooks: checks the signature of every request by itself, and keeps the events. */
import { expect } from 'bun:test'

/** 32 bytes, as a user would write them into the settings. */
export const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`

/** A received event. */
export type ReceivedEvent = {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Record<string, unknown>
  readonly dropped?: number
}

/** A received request. */
export type ReceivedRequest = {
  readonly id: string
  readonly timestamp: number
  readonly body: string
  readonly path: string
  readonly headers: Headers
  readonly events: readonly ReceivedEvent[]
}

/** A running receiver. */
export type Receiver = {
  readonly url: string
  readonly port: number
  /** All requests, those too that were not accepted. */
  readonly requests: readonly ReceivedRequest[]
  /** The events of accepted requests, in the order of their arrival. */
  readonly events: readonly ReceivedEvent[]
  /** What is wrong with requests; a test that uses the receiver expects nothing. */
  readonly faults: readonly string[]
  /** The response from now on; 204 without it. */
  respond: ((request: ReceivedRequest) => Response | Promise<Response>) | undefined
  /** Resolves when so many events were accepted; returns all. */
  until(count: number): Promise<readonly ReceivedEvent[]>
  /** Resolves when so many requests have come; returns all. */
  untilRequests(count: number): Promise<readonly ReceivedRequest[]>
  /** Resolves to the first accepted event that fits. */
  event(fits: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent>
  stop(): Promise<void>
}

/** What a receiver is started with. */
export type ReceiverOptions = {
  readonly port?: number
  readonly secrets?: readonly string[]
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Starts a receiver on 127.0.0.1. */
export function startReceiver({ port = 0, secrets = [SECRET], tls }: ReceiverOptions = {}): Receiver {
  const requests: ReceivedRequest[] = []
  const events: ReceivedEvent[] = []
  const faults: string[] = []
  let watchers: { isMet: () => boolean; resolve: () => void }[] = []
  const until = (isMet: () => boolean) =>
    new Promise<void>((resolve) => {
      if (isMet()) resolve()
      else watchers.push({ isMet, resolve })
    })
  const look = () => {
    const met = watchers.filter(({ isMet }) => isMet())
    watchers = watchers.filter((one) => !met.includes(one))
    for (const { resolve } of met) resolve()
  }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    idleTimeout: 60,
    ...(tls && { tls: { cert: Bun.file(tls.cert), key: Bun.file(tls.key) } }),
    async fetch(request) {
      try {
        const seen = await read(request, secrets)
        requests.push(seen)
        look()
        const response = (await receiver.respond?.(seen)) ?? new Response(null, { status: 204 })
        if (response.ok) events.push(...seen.events)
        look()
        return response
      } catch (fault) {
        faults.push(String(fault))
        return new Response(null, { status: 400 })
      }
    },
  })
  const receiver: Receiver = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${server.port}/hook`,
    port: server.port!,
    requests,
    events,
    faults,
    respond: undefined,
    async until(count) {
      await until(() => events.length >= count)
      return events
    },
    async untilRequests(count) {
      await until(() => requests.length >= count)
      return requests
    },
    async event(fits) {
      await until(() => events.some(fits))
      return events.find(fits)!
    },
    stop: () => server.stop(true),
  }
  return receiver
}

/** Parses a request; throws where it is not what Standard Webhooks and the guide say. */
async function read(request: Request, secrets: readonly string[]): Promise<ReceivedRequest> {
  const { headers, method, url } = request
  const body = await request.text()
  const id = headers.get('webhook-id') ?? ''
  const timestamp = Number(headers.get('webhook-timestamp'))
  expect([method, headers.get('content-type')]).toEqual(['POST', 'application/json'])
  expect(headers.get('user-agent')).toMatch(/^arqonbus\/\d/)
  expect(id).toMatch(/^msg_[a-z0-9_-]+$/)
  expect(Math.abs(timestamp - Date.now() / 1000)).toBeLessThan(60)
  const expected = await Promise.all(secrets.map((secret) => signatureOf(secret, `${id}.${timestamp}.${body}`)))
  expect(headers.get('webhook-signature')).toBe(expected.join(' '))
  const parsed = JSON.parse(body) as { type: string; timestamp: string; data: { events: ReceivedEvent[] } }
  expect(Object.keys(parsed)).toEqual(['type', 'timestamp', 'data'])
  expect([parsed.type, Object.keys(parsed.data)]).toEqual(['events', ['events']])
  for (const event of parsed.data.events) {
    expect(event.id).toMatch(/^evt_[a-z0-9_-]+$/)
    expect(new Date(event.timestamp).toISOString()).toBe(event.timestamp)
  }
  return { id, timestamp, body, path: new URL(url).pathname, headers, events: parsed.data.events }
}

/** By Web Crypto, which the server does not use for it. */
async function signatureOf(secret: string, text: string): Promise<string> {
  const bytes = Uint8Array.from(atob(secret.slice('whsec_'.length)), (character) => character.charCodeAt(0))
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text))
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(signature)))}`
}

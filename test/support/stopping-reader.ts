/** A client over plain TCP that can stop reading. */
import { openRaw, type RawSocket } from '@arqonbus/testing'

/** Any frame from the bus. */
export type RawMessage = {
  type: string
  channel: string
  payload: Record<string, unknown>
  metadata?: { position?: string; key?: string }
}

/** A connected client that can stop reading. */
export type StoppingReader = RawSocket & {
  nextFrame(): Promise<RawMessage>
  /** Runs a command, and returns the result; frames that come before the reply are dropped. */
  run(name: string, parameters: Record<string, unknown>): Promise<Record<string, unknown>>
}

/** Connects a client that can stop reading. */
export async function stoppingReader(url: string, id: string): Promise<StoppingReader> {
  const raw = await openRaw(`${url}?client_id=${id}`)
  await raw.nextJson()
  let count = 0
  const nextFrame = async () => (await raw.nextJson()) as unknown as RawMessage
  return {
    ...raw,
    nextFrame,
    async run(name, parameters) {
      const request = `arq_${name}${++count}`
      raw.frame({
        payload: JSON.stringify({
          version: '1.0',
          id: request,
          type: 'command',
          room: 'arqonbus',
          channel: 'control',
          from: id,
          timestamp: '2026-01-01T00:00:00Z',
          payload: { name, parameters },
        }),
      })
      for (;;) {
        const { type, payload } = await nextFrame()
        if (type === 'command_response' && payload.request_id === request) return payload
      }
    },
  }
}

/** Checks that must pass after every attack. */
import { expect } from 'bun:test'
import { type ConnectOptions, connect, type Frame, type TestClient } from '@arqonbus/testing'

let count = 0

/** Expects the bus to serve as before: a new client joins, publishes, and receives its message and nothing else. */
export async function expectServed({ busUrl }: { busUrl: string }): Promise<void> {
  const channel = `channel-${++count}`
  const client = await connect(busUrl, { query: { join: `served:${channel}` } })
  const id = client.send({ room: 'served', channel, payload: { text: 'as before' } })
  expect(await client.next((frame) => frame.id === id)).toMatchObject({ payload: { text: 'as before' } })
  expect(await client.everything()).toEqual([])
  await client.close()
}

/** A client that sends texts unchanged and groups the received frames by text. */
export type Prober = TestClient & {
  /** Resolves to all frames that the bus sent because of this text; a ping after it shows when they are complete. */
  probe(text: string | Uint8Array<ArrayBuffer>): Promise<Frame[]>
}

/** Connects a prober. */
export async function connectProber(busUrl: string, options?: ConnectOptions): Promise<Prober> {
  const client = await connect(busUrl, options)
  return {
    ...client,
    probe(text) {
      client.raw(text)
      return client.everything()
    },
  }
}

/** The only frame, which must be a refusal; fails with the frames otherwise. */
export function onlyRefusal(frames: readonly Frame[]): {
  code: string
  details: Record<string, unknown>
  requestId: unknown
} {
  const [reply, ...more] = frames
  if (reply === undefined || more.length > 0) throw new Error(`expected one reply, not ${JSON.stringify(frames)}`)
  expect(reply).toMatchObject({
    type: 'command_response',
    room: 'arqonbus',
    channel: 'control',
    payload: { status: 'error' },
  })
  const { error, request_id: requestId } = reply.payload as {
    error: { code: string; details?: Record<string, unknown> }
    request_id: unknown
  }
  return { code: error.code, details: error.details ?? {}, requestId }
}

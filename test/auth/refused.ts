/** What tests of authentication share. */
import type { ErrorBody } from '@arqonbus/protocol'
import { type ConnectOptions, open } from '@arqonbus/testing'

/** The command that authenticates a connection, as its first frame or later. */
export const authenticateFrame = (token: string, { from = 'nobody' } = {}): string =>
  JSON.stringify({
    version: '1.0',
    id: 'arq_authenticate',
    type: 'command',
    room: 'arqonbus',
    channel: 'control',
    from,
    timestamp: '2026-11-21T12:00:00Z',
    payload: { name: 'authenticate', parameters: { token } },
  })

/** How a connection ends that must be refused after its upgrade: the close code, and the error before it. */
export async function refusedWith(url: string, options: ConnectOptions): Promise<{ code: number; error: ErrorBody }> {
  const { next, closed } = open(url, options)
  const { payload } = await next()
  if (payload.event !== undefined) throw new Error(`not refused: ${JSON.stringify(payload)}`)
  return { code: (await closed).code, error: payload.error as ErrorBody }
}

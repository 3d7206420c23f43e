/** What a page in a real browser sees of connections that are refused (docs/protocol.md#connecting). */
import { expect, test } from 'bun:test'
import { startBus, withProgram } from '@arqonbus/testing'
import { connect, type WebSocketConstructor } from '../src/index.ts'
import { openInChromium } from './support/chromium.ts'

/** Time for a browser to start. */
const PATIENT = { timeout: 120_000 }

const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ adminKey })

/** A script that opens a WebSocket and tells its parent what came of it. */
const attempt = (name: string, protocols: string[] | undefined) => `
  {
    const seen = { name: ${JSON.stringify(name)}, frames: [] }
    const socket = new WebSocket(${JSON.stringify(bus.busUrl)}${protocols ? `, ${JSON.stringify(protocols)}` : ''})
    socket.onmessage = ({ data }) => {
      const { payload } = JSON.parse(data)
      seen.frames.push(payload.event ?? payload.error.code)
      if (payload.event === 'welcome') socket.close(1000)
    }
    socket.onclose = ({ code, reason }) => parent.postMessage({ ...seen, code, reason }, '*')
  }`

const own = [
  attempt('another version', ['arqonbus.v2']),
  attempt('another protocol', ['mqtt']),
  attempt('a token alone', [`arqonbus.token.${adminKey}`]),
  attempt('a wrong token alone', ['arqonbus.token.wrong']),
].join('\n')

/** Its frame without an origin is a page of another site for the bus. */
const page = `<!doctype html><body><script>
  const seen = []
  onmessage = ({ data }) => {
    seen.push(data)
    if (seen.length === 5) fetch('/done', { method: 'POST', body: JSON.stringify(seen) })
  }
  ${own}
  const frame = document.createElement('iframe')
  frame.sandbox = 'allow-scripts'
  frame.srcdoc = ${JSON.stringify(`<script>${attempt('a foreign page', undefined)}</`)} + 'script>'
  document.body.append(frame)
</script>`

withProgram('chromium', 'refused connections in a browser', (chromium) => {
  test(
    'a page can read why its connection was refused, and one that offers only a token is served',
    PATIENT,
    async () => {
      const posted = await openInChromium(chromium, { '/': { type: 'text/html', body: page } })
      const seen = JSON.parse(posted) as { name: string; frames: string[]; code: number; reason: string }[]
      expect(Object.fromEntries(seen.map(({ name, ...rest }) => [name, rest]))).toEqual({
        'another version': { frames: ['unsupported_version'], code: 4400, reason: expect.any(String) },
        'another protocol': { frames: ['unsupported_version'], code: 4400, reason: expect.any(String) },
        'a token alone': { frames: ['welcome'], code: 1000, reason: '' },
        'a wrong token alone': { frames: ['unauthenticated'], code: 4401, reason: expect.any(String) },
        'a foreign page': { frames: ['forbidden'], code: 4403, reason: expect.stringContaining('ARQONBUS_ORIGINS') },
      })
    },
  )
})

test('a client whose host name is not accepted fails at once with the code and the setting', async () => {
  class Named extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, { protocols, headers: { Host: 'bus.example' } } as unknown as string[])
    }
  }
  const attempted = connect({ url: bus.busUrl, WebSocket: Named as WebSocketConstructor })
  await expect(attempted).rejects.toMatchObject({
    code: 'host_not_allowed',
    details: { setting: 'ARQONBUS_ALLOWED_HOSTS' },
  })
})

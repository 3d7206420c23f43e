/** WebSocket clients that connect to the HTTP port (docs/protocol.md#connecting). */
import { expect, test } from 'bun:test'
import type { ErrorBody } from '@arqonbus/protocol'
import { connect, eventually, openRaw, startBus, type TestBus } from '@arqonbus/testing'

const bus = await startBus()
const configured = await startBus({ consoleBusUrl: 'wss://bus.example.org/' })
const { port } = new URL(bus.busUrl)

/** The refusal of an upgrade at the HTTP port. */
async function refused(of: TestBus, path: string, host: string): Promise<ErrorBody> {
  const socket = await openRaw(`${of.httpUrl}${path}`, { headers: { Host: host } })
  const { status } = await socket.head()
  const { error } = await eventually(() => JSON.parse(socket.body()) as { error: ErrorBody })
  expect(status).toBe(error.status)
  socket.destroy()
  return error
}

test('a WebSocket upgrade at any path of the HTTP port is refused with the URL of the bus', async () => {
  for (const path of ['/', '/health', '/console/app.js', '/api/v1/status', '/nowhere?client_id=ada']) {
    const { code, message, details } = await refused(bus, path, '127.0.0.1')
    expect([path, code, details]).toEqual([
      path,
      'not_found',
      { bus_port: Number(port), bus_url: `ws://127.0.0.1:${port}/` },
    ])
    expect(message).toContain(bus.busUrl)
  }
  await (await connect((await refused(bus, '/', '127.0.0.1')).details!.bus_url as string)).close()
})

test('a refused upgrade names the bus by the host of the request, or by the URL that the settings give', async () => {
  expect((await refused(bus, '/', 'localhost:9102')).details).toMatchObject({ bus_url: `ws://localhost:${port}/` })
  expect((await refused(bus, '/', '[::1]:9102')).details).toMatchObject({ bus_url: `ws://[::1]:${port}/` })
  expect((await refused(configured, '/', '127.0.0.1')).details).toMatchObject({ bus_url: 'wss://bus.example.org/' })
})

test('a WebSocket upgrade with a host name that is not allowed is refused for that, without the URL of the bus', async () => {
  const error = await refused(configured, '/', 'evil.example')
  expect(error.code).toBe('host_not_allowed')
  expect(JSON.stringify(error)).not.toContain('bus.example.org')
})

test('refused upgrades at the HTTP port count towards its rate', async () => {
  const limited = await startBus({ httpRate: { perSecond: 1, burst: 2 } })
  const codes: string[] = []
  for (let i = 0; i < 3; i++) codes.push((await refused(limited, '/api/v1/status', '127.0.0.1')).code)
  expect(codes).toEqual(['not_found', 'not_found', 'rate_limited'])
})

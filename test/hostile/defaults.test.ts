/** What a server does that is started without any settings, or with those that would open it by mistake. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { connect, refusal } from '@arqonbus/testing'
import { root, startBusProcess } from '../support/bus-process.ts'

setDefaultTimeout(60_000)

/** Checks settings; resolves to the exit code and the mistakes. */
async function check(settings: Record<string, string>): Promise<{ code: number; text: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:ARQONBUS|OTEL)_/.test(name)))
  const command = [process.execPath, '--no-env-file', join(root, 'packages/cli/src/main.ts'), 'check-config']
  const child = Bun.spawn(command, { env: { ...env, ...settings }, stdout: 'ignore', stderr: 'pipe' })
  const text = await new Response(child.stderr).text()
  return { code: await child.exited, text }
}

describe('the defaults', () => {
  test('other machines reach a server only where a setting says that anyone there may be a client', async () => {
    const bus = await startBusProcess()
    for (const url of [bus.busUrl, bus.telemetryUrl, bus.httpUrl]) expect(new URL(url).hostname).toBe('127.0.0.1')
    await bus.stop()
    const hosts = ['ARQONBUS_HOST', 'ARQONBUS_TELEMETRY_HOST', 'ARQONBUS_HTTP_HOST']
    const open = hosts.map((name) => check({ [name]: '0.0.0.0' }))
    for (const [i, { code, text }] of (await Promise.all(open)).entries()) {
      expect([code, text]).toEqual([78, expect.stringContaining(`${hosts[i]} (environment)`)])
      expect(text).toContain('ALLOW_ANONYMOUS=true')
    }
    expect(await check({ ARQONBUS_HOST: '0.0.0.0', ARQONBUS_ALLOW_ANONYMOUS: 'true' })).toMatchObject({ code: 0 })
  })

  test('a server without settings has no admin, no foreign origins, no foreign host names and no trusted proxies', async () => {
    const bus = await startBusProcess()
    const eve = await connect(bus.busUrl, { headers: { 'X-Forwarded-For': '192.0.2.1' } })
    for (const admin_key of ['', 'admin', 'secret', 'undefined', 'null'])
      expect((await refusal(eve.command('pause_room', { room: 'science', admin_key }))).code).toBeOneOf([
        'forbidden',
        'invalid_parameters',
      ])
    expect(bus.output()).not.toContain('192.0.2.1')
    const foreign = { Origin: 'https://app.example.org' }
    expect((await fetch(`${bus.httpUrl}/api/v1/status`, { headers: foreign })).status).toBe(403)
    expect((await fetch(`${bus.httpUrl}/health`, { headers: { Host: 'bus.example.org' } })).status).toBe(421)
    await bus.stop()
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BusProcess, root, startBusProcess } from './support/bus-process.ts'
import { openTerminal } from './support/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-build-'))
const executable = join(folder, 'arqonbus')
const { version } = JSON.parse(readFileSync(join(root, 'packages/server/package.json'), 'utf8')) as { version: string }

let bus: BusProcess

beforeAll(async () => {
  const built = spawnSync(process.execPath, [join(root, 'scripts/build.ts'), executable], { encoding: 'utf8' })
  expect(built.stderr + built.stdout).toContain('compile')
  expect(built.status).toBe(0)
  bus = await startBusProcess({ command: [executable, 'serve'], folder })
}, 120_000)

afterAll(async () => {
  await bus?.stop('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function connect(clientId: string, to = bus) {
  return openTerminal({ url: `${to.busUrl}?client_id=${clientId}`, headers: {}, subprotocols: ['arqonbus.v1'] })
}

describe('the executable of `npm run build`', () => {
  test('the built executable serves WebSocket connections', async () => {
    const terminal = connect('ada')
    expect(JSON.parse(await terminal.receive())).toMatchObject({ type: 'system', payload: { event: 'welcome' } })
    await terminal.send(
      '{"version":"1.0","id":"arq_p","type":"command","room":"a","channel":"b","from":"ada","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"ping"}}',
    )
    expect(JSON.parse(await terminal.receive())).toMatchObject({
      type: 'command_response',
      payload: { request_id: 'arq_p', command: 'ping', status: 'success', result: { pong: true } },
    })
    terminal.hangUp()
  })

  test('the built executable serves HTTP and reports its version and the commit it was built from', async () => {
    const health = await fetch(new URL('/health', bus.httpUrl))
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok', version }])
    const head = spawnSync('git', ['rev-parse', '--verify', '--quiet', 'HEAD'], { cwd: root, encoding: 'utf8' })
    const { build, ...rest } = (await (await fetch(new URL('/version', bus.httpUrl))).json()) as {
      build: { commit: string | null }
    }
    expect(rest).toMatchObject({ name: 'arqonbus', version })
    expect(build.commit?.replace(/-dirty$/, '') ?? null).toBe(head.status === 0 ? head.stdout.trim() : null)
  })

  test('the built executable contains the console', async () => {
    const page = await fetch(bus.httpUrl)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    const paths = [...(await page.text()).matchAll(/(?:src|href)="(console\/[^"]+)"/g)].map(([, path]) => path)
    expect(paths.length).toBe(3)
    for (const path of paths) expect([path, (await fetch(`${bus.httpUrl}/${path}`)).status]).toEqual([path, 200])
  })

  test('the built executable announces its shutdown to clients on SIGTERM and exits with 0', async () => {
    const another = await startBusProcess({ command: [executable, 'serve'], folder })
    const terminal = connect('grace', another)
    await terminal.receive()
    const exit = another.stop('SIGTERM')
    expect(JSON.parse(await terminal.receive())).toMatchObject({ type: 'system', payload: { event: 'shutdown' } })
    expect((await terminal.closed()).code).toBe(1012)
    expect(await exit).toBe(0)
  })
})

import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withProgram } from '@arqonbus/testing'
import { clientFailures } from '../src/errors.ts'
import { openInChromium } from './support/chromium.ts'
import { next, textOf } from './support/collect.ts'
import { createFixture } from './support/fixture.ts'
import { clientSource, readGuide } from './support/guide.ts'

const fixture = createFixture()
const guide = readGuide()
const folder = mkdtempSync(join(tmpdir(), 'arqonbus-client-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Time for a browser or a process to start. */
const PATIENT = { timeout: 120_000 }
/** The size that `docs/guide/client.md` states. */
const MAX_GZIP_BYTES = 12 * 1024

/** The program of the guide against a bus, as a file. */
async function program(): Promise<string> {
  const { busUrl } = await fixture.bus()
  const path = join(folder, `${crypto.randomUUID()}.ts`)
  writeFileSync(path, guide.program(busUrl))
  return path
}

async function bundle(path: string, target: 'node' | 'browser'): Promise<string> {
  const { outputs } = await Bun.build({ entrypoints: [path], target, minify: target === 'browser' })
  return outputs[0]!.text()
}

/** Runs a program to its end and returns the sorted lines that it printed. */
async function run(...command: string[]): Promise<string[]> {
  const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${err}`)
  return out.trimEnd().split('\n').sort()
}

test('the program of the guide prints what the guide says', PATIENT, async () => {
  expect(guide.prints.length).toBeGreaterThan(10)
  expect(await run(process.execPath, await program())).toEqual(guide.prints)
})

test('the guide lists exactly the codes of the client', () => {
  const codes = Object.entries(clientFailures).map(([code, [status]]) => [code, status])
  expect(guide.codes).toEqual(Object.fromEntries(codes))
})

describe('the client in Node', () => {
  const node = Bun.which('node') as string
  const major = Number(Bun.spawnSync([node, '-p', 'process.versions.node']).stdout.toString().split('.')[0])
  const own = major >= 22 ? [] : ['--experimental-websocket']
  const none = major >= 22 ? ['--no-experimental-websocket'] : []

  async function nodeProgram(): Promise<string> {
    const path = join(folder, `${crypto.randomUUID()}.mjs`)
    writeFileSync(path, await bundle(await program(), 'node'))
    return path
  }

  test('the program of the guide prints the same in Node without a WebSocket', PATIENT, async () => {
    expect((await run(node, ...none, '-p', 'typeof WebSocket'))[0]).toBe('undefined')
    expect(await run(node, ...none, await nodeProgram())).toEqual(guide.prints)
  })

  test('the program of the guide prints the same in Node with its own WebSocket', PATIENT, async () => {
    expect((await run(node, ...own, '-p', 'typeof WebSocket'))[0]).toBe('function')
    expect(await run(node, ...own, '--no-warnings', await nodeProgram())).toEqual(guide.prints)
  })
})

test('the bundle for browsers is small and uses nothing of Node', async () => {
  const text = await bundle(clientSource, 'browser')
  expect(Bun.gzipSync(text).length).toBeLessThan(MAX_GZIP_BYTES)
  expect(text).not.toMatch(/node:|require\(|process\.|Bun\.|\bBuffer\b/)
})

withProgram('chromium', 'the client in a browser', (chromium) => {
  test('the program of the guide prints the same in a browser', PATIENT, async () => {
    const page = `<script type="module">
      const lines = []
      console.log = (...words) => lines.push(words.join(' '))
      await import('./program.js').catch((error) => lines.push(String(error)))
      await fetch('/done', { method: 'POST', body: JSON.stringify(lines) })
    </script>`
    const posted = await openInChromium(chromium, {
      '/': { type: 'text/html', body: page },
      '/program.js': { type: 'text/javascript', body: await bundle(await program(), 'browser') },
    })
    expect(JSON.parse(posted).sort()).toEqual(guide.prints)
  })

  test('the page of the guide publishes a message and shows it', PATIENT, async () => {
    const { busUrl } = await fixture.bus()
    const listener = await fixture.client({ url: busUrl, join: ['lobby:chat'] })
    const heard = next(listener, 'message')
    const watch = `<script>
      new MutationObserver(() => fetch('/done', { method: 'POST', body: document.querySelector('li').outerHTML }))
        .observe(document.querySelector('ul'), { childList: true })
    </script>`
    const posted = await openInChromium(chromium, {
      '/': { type: 'text/html', body: guide.page(busUrl) + watch },
      '/client.js': { type: 'text/javascript', body: await bundle(clientSource, 'browser') },
    })
    expect(posted).toBe('<li>Hello from a page</li>')
    expect(textOf(await heard)).toBe('Hello from a page')
  })
})

import { afterAll, describe, expect, test } from 'bun:test'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

const launcher = join(import.meta.dir, '../bin/bun.mjs')
const installed = { '@oven/bun-test-x64': '1.4.5' }
const platform = `@oven/bun-${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`
const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/**
 * Creates a checkout that contains only the launcher and the given files of `node_modules`; a link is a complete Bun.
 */
function checkout(files: Record<string, { link: string } | { text: string }>): string {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-launcher-'))
  folders.push(folder)
  mkdirSync(join(folder, 'bin'))
  copyFileSync(launcher, join(folder, 'bin/bun.mjs'))
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'node_modules', path)
    mkdirSync(dirname(file), { recursive: true })
    if ('link' in content) symlinkSync(content.link, file)
    else writeFileSync(file, content.text, { mode: 0o755 })
  }
  return folder
}

/** The files of the package `bun` as npm leaves them, with the install script run or blocked. */
function bunPackage(binary: { link: string } | { text: string }, optional: Record<string, string>) {
  return {
    'bun/package.json': { text: JSON.stringify({ name: 'bun', version: '1.4.5', optionalDependencies: optional }) },
    'bun/bin/bun.exe': binary,
  }
}

function platformPackage(name: string, binary: { link: string } | { text: string }) {
  return { [`${name}/package.json`]: { text: JSON.stringify({ name, version: '1.4.5' }) }, [`${name}/bin/bun`]: binary }
}

/** The result of `findBun` in that checkout: a path, or the message of the error. */
function found(folder: string, environment: Record<string, string> = {}): string {
  const code = `import { findBun } from ${JSON.stringify(join(folder, 'bin/bun.mjs'))}
    try { console.log(findBun()) } catch (error) { console.log(error.message) }`
  const { BUN_EXECUTABLE: _, ...rest } = process.env
  const run = spawnSync('node', ['--input-type=module', '-e', code], {
    env: { ...rest, ...environment },
    encoding: 'utf8',
  })
  expect(run.stderr).toBe('')
  return run.stdout.trim().replace(folder, '')
}

const bun = { link: process.execPath }
const placeholder = { text: 'echo "Error: the install script of bun was not run" >&2; exit 1\n' }
const foreign = { text: `#!/bin/sh\nexit 1\n${'#'.repeat(2 * 1024 * 1024)}\n` }

describe('the search for Bun', () => {
  test('the launcher tries the Bun that BUN_EXECUTABLE names first', () => {
    const folder = checkout(bunPackage(bun, {}))
    expect(found(folder, { BUN_EXECUTABLE: process.execPath })).toBe(process.execPath)
  })

  test('the launcher reports a BUN_EXECUTABLE that points nowhere instead of trying another Bun', () => {
    const folder = checkout(bunPackage(bun, {}))
    expect(found(folder, { BUN_EXECUTABLE: '/nowhere/bun' })).toContain('BUN_EXECUTABLE is /nowhere/bun')
  })

  test('the launcher then uses the binary that the install script of the package put in place', () => {
    expect(found(checkout(bunPackage(bun, {})))).toBe('/node_modules/bun/bin/bun.exe')
  })

  test('the launcher uses the platform package when only a placeholder is in place of the binary', () => {
    const folder = checkout({
      ...bunPackage(placeholder, { ...installed, [platform]: '1' }),
      ...platformPackage(platform, bun),
    })
    expect(found(folder)).toBe(`/node_modules/${platform}/bin/bun`)
  })

  test('the launcher skips a binary that is too small or does not run', () => {
    const [musl, third] = [`${platform}-musl`, `${platform}-third`]
    const folder = checkout({
      ...bunPackage(placeholder, { [platform]: '1', [musl]: '1', [third]: '1' }),
      ...platformPackage(platform, placeholder),
      ...platformPackage(musl, foreign),
      ...platformPackage(third, bun),
    })
    expect(found(folder)).toBe(`/node_modules/${third}/bin/bun`)
  })

  test('the launcher never uses a package of another platform', () => {
    const folder = checkout({ ...bunPackage(placeholder, installed), ...platformPackage('@oven/bun-test-x64', bun) })
    expect(found(folder)).toContain('Bun has no binary here')
  })

  test('the launcher names what to install when it finds no Bun', () => {
    expect(found(checkout({}))).toContain('run `npm ci` first')
    expect(found(checkout(bunPackage(placeholder, { [platform]: '1' })))).toContain(platform)
  })
})

test('the launcher runs the Bun of the platform package with its arguments', () => {
  const folder = checkout({ ...bunPackage(placeholder, { [platform]: '1' }), ...platformPackage(platform, bun) })
  const run = spawnSync('node', [join(folder, 'bin/bun.mjs'), '--version'], { encoding: 'utf8' })
  expect([run.stdout.trim(), run.status]).toEqual([Bun.version, 0])
})

test('the exit code of Bun is the exit code of the launcher', () => {
  expect(spawnSync('node', [launcher, '-e', 'process.exit(78)']).status).toBe(78)
  expect(spawnSync('node', [launcher, '-e', 'process.kill(process.pid, "SIGKILL")']).status).toBe(137)
})

/** A process under the launcher that prints each signal on a line, and exits with 3 on SIGTERM. */
const talkative = `let interrupts = 0
  process.on('SIGINT', () => console.log('SIGINT', ++interrupts))
  process.on('SIGTERM', () => { console.log('SIGTERM', interrupts); process.exit(3) })
  setInterval(() => {}, 1000)
  console.log('pid', process.pid)`

/** Starts the launcher in a separate process group, as a shell does in a terminal. */
function underLauncher(options: { ownGroup: boolean }) {
  const code = `import { start } from ${JSON.stringify(launcher)}; start(['-e', ${JSON.stringify(talkative)}], ${JSON.stringify(options)})`
  const child = spawn('node', ['--input-type=module', '-e', code], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, exit: once(child, 'exit'), line: async () => (await lines.next()).value as string | undefined }
}

function toGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal)
}

describe('signals under the launcher', () => {
  test('Ctrl-C under npm, which arrives from the terminal and from npm, reaches the server once', async () => {
    const { child, exit, line } = underLauncher({ ownGroup: true })
    expect(await line()).toStartWith('pid')
    toGroup(child, 'SIGINT')
    child.kill('SIGINT')
    expect(await line()).toBe('SIGINT 1')
    child.kill('SIGTERM')
    expect(await line()).toBe('SIGTERM 1')
    expect(await exit).toEqual([3, null])
  })

  test('SIGTERM to the whole group, as `timeout` sends it, reaches the server once, and its exit code is returned', async () => {
    const { child, exit, line } = underLauncher({ ownGroup: true })
    expect(await line()).toStartWith('pid')
    child.kill('SIGTERM')
    toGroup(child, 'SIGTERM')
    expect(await line()).toBe('SIGTERM 0')
    expect(await line()).toBeUndefined()
    expect(await exit).toEqual([3, null])
  })

  test('a signal to the launcher alone is forwarded', async () => {
    const { child, exit, line } = underLauncher({ ownGroup: false })
    expect(await line()).toStartWith('pid')
    child.kill('SIGINT')
    expect(await line()).toBe('SIGINT 1')
    child.kill('SIGTERM')
    expect(await exit).toEqual([3, null])
  })

  test('a server does not outlive a launcher that is killed by SIGKILL', async () => {
    const { child, line } = underLauncher({ ownGroup: true })
    expect(await line()).toStartWith('pid')
    child.kill('SIGKILL')
    expect(await line()).toBeUndefined()
  })
})

#!/usr/bin/env node
// Finds the Bun that npm installed and runs it, with the plain Node that `npm ci` needed anyway.
// `node bin/bun.mjs test packages/protocol` is `bun test packages/protocol`.

import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)

/**
 * Where npm blocks install scripts, a placeholder of 450 bytes stands in the binary's place; Bun itself is near 100 MB.
 */
const smallestBinary = 1024 * 1024

/** Signals that end a process and that somebody may send to the launcher in place of Bun. */
const ending = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']

/** The signal that lets a server read its settings again: each one counts. */
const reloading = 'SIGUSR2'

/**
 * One Ctrl-C arrives up to three times: from the terminal, from npm, from `timeout`. Repeats within this are one
 * signal.
 */
const repeatMs = 250

/** How often the launcher checks that the npm which started it is still alive. */
const parentCheckMs = 500

/**
 * The path of a Bun that runs here. Looked for in this order: `BUN_EXECUTABLE`; the `bun` package, whose install script
 * puts the binary there; the package of this platform, where the binary stays when npm blocks install scripts.
 *
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string}
 * @throws {Error} when there is none; the message says what to install
 */
export function findBun(environment = process.env) {
  const named = environment.BUN_EXECUTABLE
  if (named) {
    if (statSync(named, { throwIfNoEntry: false })?.isFile()) return named
    throw new Error(`BUN_EXECUTABLE is ${named}, and there is no such file. Name a Bun binary, or unset it.`)
  }
  const home = packageFolder('bun')
  if (home === undefined) throw new Error('Bun is not installed: run `npm ci` first.')

  const installed = join(home, 'bin', 'bun.exe')
  if (isBinary(installed)) return installed

  const platforms = platformPackages(home)
  for (const name of platforms) {
    const folder = packageFolder(name, home)
    const binary = folder && join(folder, 'bin', process.platform === 'win32' ? 'bun.exe' : 'bun')
    if (binary && isBinary(binary) && answers(binary)) return binary
  }
  const packages = platforms.join(' or ') || `for ${process.platform} on ${process.arch} (there is none)`
  throw new Error(
    `Bun has no binary here. Run \`npm rebuild bun\`, or \`npm ci --include=optional\` so that npm installs ${packages}; or name a Bun with BUN_EXECUTABLE.`,
  )
}

/**
 * Runs Bun in this process's place: same terminal, same folder, its exit code passed on, signals forwarded to it.
 *
 * With `ownGroup` a terminal's Ctrl-C reaches Bun through the launcher only, once: a bus that drains takes a second one
 * for impatience. Bun then ends with the launcher, also when that is killed outright.
 *
 * @param {readonly string[]} args
 * @param {{ ownGroup?: boolean }} [options]
 */
export function runBun(args, { ownGroup = false } = {}) {
  const detached = ownGroup && process.platform !== 'win32'
  /** @type {Map<string, number>} */
  const lastSent = new Map()
  // Before Bun starts: a signal that came as soon as Bun is there would end the launcher, and Bun with it.
  process.on(reloading, () => child.kill(reloading))
  for (const signal of ending) {
    process.on(signal, () => {
      const now = performance.now()
      if (now - (lastSent.get(signal) ?? Number.NEGATIVE_INFINITY) < repeatMs) return
      lastSent.set(signal, now)
      child.kill(/** @type {NodeJS.Signals} */ (signal))
    })
  }
  const child = spawn(findBun(), detached ? ['--no-orphans', ...args] : args, { stdio: 'inherit', detached })
  if (isStartedByNpm()) onParentDeath(() => child.kill('SIGTERM'))
  child.on('error', (error) => fail(`Bun does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    // Whoever waits for the launcher sees the death that Bun died, as a shell would report it.
    process.exit(128 + constants.signals[signal])
  })
}

/**
 * Whether npm, or a package manager that works like it, runs this launcher as a script of a package. A launcher that
 * was started by hand in the background must outlive the shell that started it; one under npm must not outlive npm.
 */
function isStartedByNpm() {
  return process.env.npm_lifecycle_script?.includes('bin/arqonbus.mjs') === true
}

/**
 * Calls back once when the parent process has ended. npm forwards SIGTERM and SIGINT alone: SIGHUP and SIGQUIT end it
 * at once, and without this check the server would live on and keep its ports.
 *
 * @param {() => void} onDeath
 */
function onParentDeath(onDeath) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onDeath()
  }, parentCheckMs)
  timer.unref()
}

/** @param {string} home */
function platformPackages(home) {
  const { optionalDependencies = {} } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  const system = process.platform === 'win32' ? 'windows' : process.platform === 'android' ? 'linux' : process.platform
  const prefix = `@oven/bun-${system}-${process.arch === 'arm64' ? 'aarch64' : process.arch}`
  return Object.keys(optionalDependencies).filter((name) => name === prefix || name.startsWith(`${prefix}-`))
}

/**
 * @param {string} name
 * @param {string} [from] the folder of the package that depends on it
 */
function packageFolder(name, from) {
  try {
    return dirname(require.resolve(`${name}/package.json`, from === undefined ? undefined : { paths: [from] }))
  } catch {
    return undefined
  }
}

/** @param {string} path */
function isBinary(path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && stats.size > smallestBinary
}

/**
 * A binary for another C library or processor is there, but does not run.
 *
 * @param {string} binary
 */
function answers(binary) {
  return spawnSync(binary, ['--version'], { stdio: 'ignore', timeout: 10_000 }).status === 0
}

/** @param {string} message */
function fail(message) {
  console.error(message)
  process.exit(1)
}

/**
 * Runs Bun, or says in one line what is missing.
 *
 * @param {readonly string[]} args
 * @param {{ ownGroup?: boolean }} [options]
 */
export function start(args, options) {
  try {
    runBun(args, options)
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error))
  }
}

const started = process.argv[1]
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) start(process.argv.slice(2))

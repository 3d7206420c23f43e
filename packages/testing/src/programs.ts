/**
 * Programs that some suites need and a machine may lack: such a suite is skipped by name and reported, never silently.
 */

import { describe, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { accessSync, appendFileSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * A program: its names in distributions, the command that installs it on Debian, and arguments with which it must
 * succeed to be usable here.
 */
type Program = { readonly names: readonly string[]; readonly install: string; readonly probe?: readonly string[] }

const programs = {
  'redis-server': { names: ['redis-server', 'valkey-server'], install: 'apt-get install -y redis-server' },
  'valkey-server': {
    names: ['valkey-server'],
    install: 'apt-get install -y valkey-server (on Debian 12 with bookworm-backports among its sources)',
  },
  python3: { names: ['python3'], install: 'apt-get install -y python3' },
  strace: { names: ['strace'], install: 'apt-get install -y strace' },
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'], install: 'apt-get install -y chromium' },
  curl: { names: ['curl'], install: 'apt-get install -y curl' },
  openssl: { names: ['openssl'], install: 'apt-get install -y openssl' },
  faketime: { names: ['faketime'], install: 'apt-get install -y faketime' },
  promtool: { names: ['promtool'], install: 'apt-get install -y prometheus' },
  unshare: {
    names: ['unshare'],
    install: 'apt-get install -y util-linux, and run as root or where user namespaces are allowed',
    probe: ['--user', '--map-root-user', '--pid', '--fork', 'true'],
  },
} as const satisfies Record<string, Program>

/** A program that a suite can require. */
export type ProgramName = keyof typeof programs

/** All programs that suites can require. */
export const programNames = Object.keys(programs) as ProgramName[]

/** The names under which a program is searched. */
export const executableNames = (name: ProgramName): readonly string[] => programs[name].names

/** A suite that was skipped, and the program that it lacked; `npm test` lists these. */
export type Skip = { suite: string; program: ProgramName; install: string }

/** The path of the program on this machine, or undefined. */
export function findProgram(name: ProgramName, path: string = process.env.PATH ?? ''): string | undefined {
  for (const folder of path.split(delimiter)) {
    for (const candidate of programs[name].names) {
      const file = join(folder, candidate)
      if (folder !== '' && isExecutable(file) && works(file, programs[name])) return file
    }
  }
  return undefined
}

/**
 * A suite that needs a program: `withProgram('promtool', 'metrics are valid for promtool', (path) => { test(…) })`.
 *
 * Without the program the suite is skipped and the skip recorded for `npm test`, which prints the command that installs
 * it; with `REQUIRE_ALL=1` it fails instead.
 */
export function withProgram(name: ProgramName, suite: string, body: (path: string) => void): void {
  const path = findProgram(name)
  if (path !== undefined) {
    describe(suite, () => body(path))
    return
  }
  const { install } = programs[name]
  if (process.env.REQUIRE_ALL === '1') {
    test(suite, () => {
      throw new Error(`${name} is not installed, and REQUIRE_ALL=1 requires it. Install it: ${install}`)
    })
    return
  }
  // biome-ignore lint/suspicious/noSkippedTests: this is the only place that skips, with a recorded reason.
  test.skip(suite, () => {})
  record({ suite, program: name, install })
}

/** Records the skip in the file that `npm test` names, or prints it if `bun test` was run directly. */
function record(skip: Skip): void {
  const file = process.env.TEST_SKIPS_FILE
  if (file === undefined) console.warn(`skipped: ${skip.suite} — ${skip.install}`)
  else appendFileSync(file, `${JSON.stringify(skip)}\n`)
}

const works = (file: string, { probe }: Program): boolean =>
  probe === undefined || spawnSync(file, probe, { stdio: 'ignore' }).status === 0

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

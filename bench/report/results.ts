import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Span } from '../load/window.ts'
import type { Outcome } from './outcome.ts'

/** A complete run, as it is stored: figures, machine, versions. */
export interface Results {
  date: string
  commit: string
  /** Whether the checkout had uncommitted changes. */
  changed: boolean
  machine: { cpu: string; cores: number; memoryGib: number; system: string }
  versions: { bun: string; arqonbus: string }
  options: Span & { rounds: number }
  outcomes: readonly Outcome[]
}

const root = new URL('../..', import.meta.url).pathname

export function resultsOf(options: Results['options'], outcomes: readonly Outcome[]): Results {
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD'),
    changed: git('status', '--porcelain', '--untracked-files=no') !== '',
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${release()} ${arch()}`,
    },
    versions: { bun: Bun.version, arqonbus: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version },
    options,
    outcomes,
  }
}

/** Writes the run to `bench/results/` and returns the path of the file. */
export function keep(results: Results): string {
  const folder = join(root, 'bench/results')
  mkdirSync(folder, { recursive: true })
  const minute = results.date.slice(0, 16).replaceAll(':', '')
  const file = join(folder, `${minute}-${results.commit.slice(0, 7) || 'uncommitted'}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  return file
}

/** The output of a git command; empty outside a checkout. */
function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

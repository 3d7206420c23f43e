/** A wall clock for a child process that a test can step while the child runs (libfaketime). */
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './programs.ts'

/** A clock that runs on from wherever it is set. */
export type FakeClock = {
  /** What the process has to be started with. */
  readonly environment: Readonly<Record<string, string>>
  /** Sets the clock so many milliseconds ahead of the true time, or behind it. */
  set(offsetMs: number): void
  /** Removes what a process that was killed could not remove itself. */
  clean(pid: number): void
  /** Removes the file that carries the offset. */
  remove(): void
}

let clocks = 0

/** What is stepped. */
export type FakeClockOptions = {
  /** `wall`: timers of the process do not feel it, only what time it is changes. `all`: the clock that never steps is stepped too. */
  readonly steps?: 'wall' | 'all'
}

/** Makes a clock that shows the true time; throws where the program `faketime` is missing, so use it inside `withProgram`. */
export function createFakeClock({ steps = 'wall' }: FakeClockOptions = {}): FakeClock {
  const file = join(tmpdir(), `arqonbus-clock-${process.pid}-${clocks++}`)
  const set = (offsetMs: number) => writeFileSync(file, `${offsetMs < 0 ? '-' : '+'}${Math.abs(offsetMs) / 1000}\n`)
  set(0)
  return {
    environment: {
      LD_PRELOAD: libraries(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      ...(steps === 'wall' && { FAKETIME_DONT_FAKE_MONOTONIC: '1' }),
    },
    set,
    clean(pid) {
      for (const name of ['faketime_shm_', 'sem.faketime_sem_']) rmSync(`/dev/shm/${name}${pid}`, { force: true })
    },
    remove: () => rmSync(file, { force: true }),
  }
}

/**
 * Each distribution keeps the library elsewhere; the program knows where. Redis is linked with jemalloc, which asks for the time before the library is
 * ready to tell it and then waits for ever: with the C library named after it, memory comes from there.
 */
function libraries(): string {
  const program = findProgram('faketime')
  if (program === undefined) throw new Error('faketime is not installed')
  const { stdout } = Bun.spawnSync([program, '-m', '-f', '+0s', 'printenv', 'LD_PRELOAD'])
  return `${stdout.toString().trim()} libc.so.6`
}

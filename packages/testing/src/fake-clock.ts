/** A wall clock for a child process that a test can step while the child runs (libfaketime). */
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './programs.ts'

/** A clock that continues to run from any time to which it is set. */
export type FakeClock = {
  /** The environment that the process has to be started with. */
  readonly environment: Readonly<Record<string, string>>
  /** Sets the clock `offsetMs` ahead of the true time, or behind it if negative. */
  set(offsetMs: number): void
  /** Removes files that a killed process could not remove itself. */
  clean(pid: number): void
  /** Removes the file with the offset. */
  remove(): void
}

let clocks = 0

/** Which clocks are stepped. */
export type FakeClockOptions = {
  /**
   * `wall`: only the wall time changes; timers of the process are not affected. `all`: the monotonic clock is stepped
   * too.
   */
  readonly steps?: 'wall' | 'all'
}

/** Creates a clock with the true time. Throws if the program `faketime` is missing, so use it inside `withProgram`. */
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
 * The path of the library differs between distributions; the program knows it. Redis is linked with jemalloc, which
 * asks for the time before the library is ready, and then hangs: with the C library named after it, memory comes from
 * there.
 */
function libraries(): string {
  const program = findProgram('faketime')
  if (program === undefined) throw new Error('faketime is not installed')
  const { stdout } = Bun.spawnSync([program, '-m', '-f', '+0s', 'printenv', 'LD_PRELOAD'])
  return `${stdout.toString().trim()} libc.so.6`
}

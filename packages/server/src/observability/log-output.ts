/**
 * Writes log lines to a descriptor without ever blocking the process: a pipe whose reader has stopped fills a bounded
 * buffer, further lines are dropped and counted, and a reader that has gone (EPIPE) ends logging, not the bus.
 */
import { SonicBoom } from 'sonic-boom'

/** Where lines go. */
export type LogOutput = {
  write(text: string): void
  /** Waits until everything is written, or for `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>
  /** Calls back with the number of dropped lines when the reader reads again. */
  onRecovery(callback: (dropped: number) => void): void
}

/** Options of an output: the descriptor, and how many bytes may wait for its reader. */
type LogOutputOptions = { fd: number; maxBytes?: number }

/** Opens an output. It never closes the descriptor. */
export function openLogOutput({ fd, maxBytes = 4 * 1024 * 1024 }: LogOutputOptions): LogOutput {
  const stream = new SonicBoom({ fd, sync: false, maxLength: maxBytes })
  let gone = false
  let waiting = false
  let dropped = 0
  let recovered: (dropped: number) => void = () => {}

  stream.on('drop', () => dropped++)
  stream.on('drain', () => {
    waiting = false
    if (dropped === 0) return
    const count = dropped
    dropped = 0
    recovered(count)
  })
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of the log is gone, or there never was one: nothing is left to write to. Other failures (a full disk)
    // may pass.
    if (error.code === 'EPIPE' || error.code === 'EBADF') gone = true
    waiting = false
  })

  return {
    write(text) {
      if (gone) return
      waiting = true
      stream.write(text)
    },
    flush: (timeoutMs) =>
      new Promise((resolve) => {
        if (gone || !waiting) return resolve()
        const timer = setTimeout(resolve, timeoutMs)
        const done = () => {
          clearTimeout(timer)
          resolve()
        }
        stream.once('drain', done)
        stream.once('error', done)
      }),
    onRecovery(callback) {
      recovered = callback
    },
  }
}

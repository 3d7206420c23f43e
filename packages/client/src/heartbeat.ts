import type { Clock } from './clock.ts'

/** Notices a peer that has gone without a word: a browser is not told of the server's pings, nor of a network that swallows them. */
export type Heartbeat = {
  /** A frame came in. */
  heard(): void
  /** Starts anew; 0 switches it off. */
  start(intervalMs: number): void
  stop(): void
}

/** Asks with `ping` after one silent interval and calls `dead` after a second one. */
export function createHeartbeat(clock: Clock, ping: () => void, dead: () => void): Heartbeat {
  let state: 'heard' | 'silent' | 'asked' = 'silent'
  let cancel = () => {}

  function tick(intervalMs: number): void {
    if (state === 'asked') return dead()
    if (state === 'silent') {
      state = 'asked'
      ping()
    } else {
      state = 'silent'
    }
    cancel = clock.after(intervalMs, () => tick(intervalMs))
  }

  return {
    heard() {
      state = 'heard'
    },
    start(intervalMs) {
      cancel()
      state = 'silent'
      if (intervalMs > 0) cancel = clock.after(intervalMs, () => tick(intervalMs))
    },
    stop: () => cancel(),
  }
}

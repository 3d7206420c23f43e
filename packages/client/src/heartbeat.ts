import type { Clock } from './clock.ts'

/** Detects a dead connection: a browser sees neither the server's pings nor a network that drops them. */
export type Heartbeat = {
  /** Called for each incoming frame. */
  heard(): void
  /** Starts or restarts with this interval; 0 disables it. */
  start(intervalMs: number): void
  stop(): void
}

/** Calls `ping` after one silent interval and `dead` after a second one. */
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

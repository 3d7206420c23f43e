import { type Signal, signal } from '@preact/signals'

const dirty = new Set<Signal<number>>()
let scheduled = false

/**
 * A signal for changes that come faster than the screen is drawn: it changes once per frame, for any number of beats.
 */
export function createPulse(): { readonly signal: Signal<number>; beat(): void } {
  const pulse = signal(0)
  return {
    signal: pulse,
    beat() {
      dirty.add(pulse)
      if (scheduled) return
      scheduled = true
      requestAnimationFrame(flush)
    },
  }
}

function flush(): void {
  scheduled = false
  const due = [...dirty]
  dirty.clear()
  for (const one of due) one.value += 1
}

import { signal } from '@preact/signals'

/** The time, in milliseconds; it changes once a second. */
export const now = signal(Date.now())

setInterval(() => {
  now.value = Date.now()
}, 1000)

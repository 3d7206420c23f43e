/** Polling for changes without an event: a memory that shrinks, a counter that rises. */

/**
 * How long to try, and how often. `withinMs` only ends a test that hangs: a slow machine needs longer for everything.
 */
export type EventuallyOptions = { withinMs?: number; everyMs?: number }

/**
 * Tries until nothing is thrown and returns the result; after `withinMs` the last failure is thrown.
 * Only for changes without an event: a test awaits an event if there is one.
 */
export async function eventually<T>(attempt: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { withinMs = 60_000, everyMs = 20 } = options
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      return await attempt()
    } catch (failure) {
      if (performance.now() >= deadline) throw failure
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

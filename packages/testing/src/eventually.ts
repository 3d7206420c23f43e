/** Waiting for what comes of itself: a memory that shrinks, a counter that rises. */

/** How long to try, and how often. `withinMs` only guards against waiting for ever: on a slow machine all takes longer. */
export type EventuallyOptions = { withinMs?: number; everyMs?: number }

/**
 * Tries until nothing is thrown and returns what came of it; after `withinMs` the last failure is thrown.
 * For what nobody announces: whatever can be awaited is awaited instead.
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

/** Answers that are computed once in a while, however often they are asked for. */

/**
 * The last value while it is younger than `maxAgeMs`, else a new one. All who ask while it is computed get the same.
 */
export function cached<Value>(
  maxAgeMs: number,
  now: () => number,
  compute: () => Value | Promise<Value>,
): () => Promise<Value> {
  let last: { readonly at: number; readonly value: Promise<Value> } | undefined
  return () => {
    if (last !== undefined && now() - last.at < maxAgeMs) return last.value
    const made = { at: now(), value: (async () => await compute())() }
    last = made
    // A failure is not kept: the next request tries again.
    made.value.catch(() => {
      if (last === made) last = undefined
    })
    return made.value
  }
}

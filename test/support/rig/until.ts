/** After this long nothing is coming any more. */
const GIVE_UP_MS = 120_000

/** Looks until it is so, and says what did not come about. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  withinMs = GIVE_UP_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs / 1000} s for ${what}`)
    await Bun.sleep(2)
  }
}

/** After this time a wait has failed. */
const GIVE_UP_MS = 120_000

/** Polls until the condition is true; throws with `what` after the time limit. */
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

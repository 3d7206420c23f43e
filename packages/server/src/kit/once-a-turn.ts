/** How often a task that is asked for many times is done. */

/**
 * Makes the function that asks for a task: it is done once in the next turn of the event loop, or when `later` calls
 * back, however often it has been asked for until then.
 */
export function onceATurn(task: () => void, later: (task: () => void) => unknown = setImmediate): () => void {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    later(() => {
      isAsked = false
      task()
    })
  }
}

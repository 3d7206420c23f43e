/** Answers that memory has at once and a store has later. */

/** A value, or a promise of it. */
export type Maybe<T> = T | Promise<T>

/** Goes on with a value: in the same tick where it is there, else when it comes. */
export function chain<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** All values: at once where all are there. */
export function awaitAll<T>(values: readonly Maybe<T>[]): Maybe<T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as T[])
}

/** The same value, whose failure may be looked at in a later turn: until then it ends nothing. */
export function forLater<T>(value: Maybe<T>): Maybe<T> {
  if (value instanceof Promise) value.catch(() => {})
  return value
}

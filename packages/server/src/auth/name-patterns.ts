/**
 * Patterns of names, compiled: a name, a beginning with one `*` behind it, or `*` alone (docs/protocol.md#permissions).
 * To ask costs one lookup and one binary search, whatever the number of patterns, and allocates nothing.
 */

/** Names that begin with `prefix`. `outer` is the longest other prefix that `prefix` itself begins with. */
export type Prefix<T> = { readonly prefix: string; value: T; readonly outer: Prefix<T> | undefined }

/** A set of prefixes. */
export class Prefixes<T> {
  readonly #sorted: readonly Prefix<T>[]

  constructor(values: ReadonlyMap<string, T>) {
    const sorted: Prefix<T>[] = []
    for (const prefix of [...values.keys()].sort(byCodeUnit))
      sorted.push({ prefix, value: values.get(prefix)!, outer: longestOf(sorted.at(-1), prefix) })
    this.#sorted = sorted
  }

  /** All of them, each behind those that it begins with. */
  get all(): readonly Prefix<T>[] {
    return this.#sorted
  }

  /** The longest prefix of the name: the others are its `outer` ones. */
  longest(name: string): Prefix<T> | undefined {
    const sorted = this.#sorted
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]!.prefix <= name) low = middle + 1
      else high = middle
    }
    // Everything between a prefix of the name and the name begins with that prefix too.
    return low === 0 ? undefined : longestOf(sorted[low - 1], name)
  }
}

function longestOf<T>(from: Prefix<T> | undefined, name: string): Prefix<T> | undefined {
  let found = from
  while (found !== undefined && !name.startsWith(found.prefix)) found = found.outer
  return found
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A pattern of names, as it is compiled. */
export type NamePattern = { readonly kind: 'exact' | 'prefix' | 'any'; readonly text: string }

/** What may be done with names: a set of bits for each pattern. */
export class NameMasks {
  /** What every name has. */
  readonly any: number
  /** What at least one name has. */
  readonly some: number
  readonly #exact = new Map<string, number>()
  readonly #prefixes: Prefixes<number>

  constructor(patterns: Iterable<readonly [NamePattern, number]>) {
    const prefixes = new Map<string, number>()
    let [any, some] = [0, 0]
    for (const [{ kind, text }, mask] of patterns) {
      some |= mask
      if (kind === 'any') any |= mask
      else {
        const masks = kind === 'exact' ? this.#exact : prefixes
        masks.set(text, (masks.get(text) ?? 0) | mask)
      }
    }
    this.any = any
    this.some = some
    this.#prefixes = new Prefixes(prefixes)
    for (const prefix of this.#prefixes.all) prefix.value |= prefix.outer?.value ?? 0
  }

  /** What the name has. */
  of(name: string): number {
    return this.any | (this.#exact.get(name) ?? 0) | (this.#prefixes.longest(name)?.value ?? 0)
  }
}

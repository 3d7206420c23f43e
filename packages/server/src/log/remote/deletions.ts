/**
 * Deletions of logs that are on their way to the store, by the name of the log: until one is done, the next log of its
 * name cannot be inspected.
 */
export class Deletions {
  readonly #counts = new Map<string, number>()
  #done: () => void = () => {}

  /** True while a deletion of a log of that name is on its way. */
  has(name: string): boolean {
    return this.#counts.has(name)
  }

  /** Registers what is called when one is done. */
  listen(done: () => void): void {
    this.#done = done
  }

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  /** One is done. */
  remove(name: string): void {
    const count = (this.#counts.get(name) ?? 0) - 1
    if (count > 0) this.#counts.set(name, count)
    else this.#counts.delete(name)
    this.#done()
  }

  /** None is on its way any more: the store is away. */
  clear(): void {
    this.#counts.clear()
  }
}

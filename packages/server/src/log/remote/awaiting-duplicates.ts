/** Duplicates of messages whose entry is still to be delivered on this node: each has its outcome after that. */
import type { Position } from '@arqonbus/protocol'
import type { AppendOutcome } from '../contract.ts'

/** A draft that the log had already. */
export type Duplicate<D> = {
  readonly draft: D
  readonly outcome: Extract<AppendOutcome, { kind: 'duplicate' }> & { readonly position: Position }
}

/** The duplicates of one log that wait. */
export class AwaitingDuplicates<D> {
  readonly #byNumber = new Map<number, Duplicate<D>[]>()

  get size(): number {
    return this.#byNumber.size
  }

  add(duplicate: Duplicate<D>): void {
    this.#byNumber.getOrInsertComputed(duplicate.outcome.position.n, () => []).push(duplicate)
  }

  /** Takes those of the entry that was just delivered. */
  takeAt({ n }: Position): readonly Duplicate<D>[] {
    const found = this.#byNumber.get(n) ?? []
    this.#byNumber.delete(n)
    return found
  }

  /** Takes those whose entry cannot come after a position any more. */
  takeStale(given: Position): readonly Duplicate<D>[] {
    return [...this.#byNumber.values()]
      .filter(([first]) => !isAfter(first!.outcome.position, given))
      .flatMap(([first]) => this.takeAt(first!.outcome.position))
  }

  /** Takes all of them. */
  takeAll(): readonly Duplicate<D>[] {
    const all = [...this.#byNumber.values()].flat()
    this.#byNumber.clear()
    return all
  }
}

/** True where a position can still come after another one. */
export const isAfter = (position: Position, given: Position): boolean => position.n > given.n && position.ms >= given.ms

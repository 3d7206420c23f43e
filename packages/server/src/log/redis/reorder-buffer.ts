/** News of one log that came out of turn: they wait here, one for each number, until what is before them has been told. */
import type { Position } from '@arqonbus/protocol'
import type { Replicated } from './replication.ts'
import type { Pieces } from './script-replies.ts'

/** News of one position. */
export type Announcement<D> = {
  readonly position: Position
  readonly pieces: Pieces
  /** True where this node has appended it. */
  readonly isOwn: boolean
  /** The draft that it was, where somebody waits for its outcome. */
  readonly draft: D | undefined
  /** What came of waiting behind the call; undefined while that is still to come: then the outcome of the draft comes with it. */
  readonly waited: Replicated | undefined
}

/** What waits. Whatever leaves it, or is not let in, is handed back, because its draft must have an outcome. A class, because there may be a hundred thousand. */
export class ReorderBuffer<D> {
  readonly #byNumber = new Map<number, Announcement<D>>()

  get size(): number {
    return this.#byNumber.size
  }

  /** Of two tellings of one position that with the outcome stays; of two positions of one number the later one. Gives the one that does not. */
  put(told: Announcement<D>): Announcement<D> | undefined {
    const { n, ms } = told.position
    const other = this.#byNumber.get(n)
    const isBetter =
      other === undefined ||
      (other.position.ms === ms ? other.draft === undefined || other.waited === undefined : other.position.ms < ms)
    if (!isBetter) return told
    this.#byNumber.set(n, told)
    return other
  }

  /** Takes what follows a position. */
  takeNext(given: Position): Announcement<D> | undefined {
    const told = this.#byNumber.get(given.n + 1)
    if (told === undefined || told.position.ms < given.ms) return undefined
    this.#byNumber.delete(given.n + 1)
    return told
  }

  /** Takes what waits for this very position. */
  takeAt({ n, ms }: Position): Announcement<D> | undefined {
    const told = this.#byNumber.get(n)
    if (told?.position.ms !== ms) return undefined
    this.#byNumber.delete(n)
    return told
  }

  /** Takes, one after the other, what can come after a position no more: its number has been given, or its time is before it. */
  *takeStale(given: Position): IterableIterator<Announcement<D>> {
    for (const [n, told] of this.#byNumber) {
      if (n > given.n && told.position.ms >= given.ms) continue
      this.#byNumber.delete(n)
      yield told
    }
  }

  /** Takes everything. */
  takeAll(): readonly Announcement<D>[] {
    const all = [...this.#byNumber.values()]
    this.#byNumber.clear()
    return all
  }

  /** The position of the lowest number. */
  first(): Position | undefined {
    return lowest(this.#byNumber.values())
  }

  /** The same among what this node has appended since a time. */
  firstOwn(sinceMs: number): Position | undefined {
    return lowest([...this.#byNumber.values()].filter(({ position, isOwn }) => isOwn && position.ms >= sinceMs))
  }
}

function lowest(all: Iterable<Announcement<unknown>>): Position | undefined {
  let first: Position | undefined
  for (const { position } of all) if (first === undefined || position.n < first.n) first = position
  return first
}

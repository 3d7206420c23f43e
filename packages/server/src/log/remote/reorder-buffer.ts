/**
 * News of one log that came out of turn: they wait here, one for each number, until what is before them has been
 * delivered.
 */
import type { Position } from '@arqonbus/protocol'
import type { AppendOutcome } from '../contract.ts'
import { isAfter } from './awaiting-duplicates.ts'
import type { EncodedParts } from './encoded-parts.ts'

/** News of one position, by the reply to a call or by an announcement. */
export type News<D> = {
  readonly position: Position
  readonly parts: EncodedParts
  /** True where this node has appended it. */
  readonly isOwn: boolean
  /** The draft that it was, where that has no outcome yet. */
  readonly draft: D | undefined
  /** The outcome of the draft; undefined where it comes later, by the reply to the call. */
  readonly outcome: AppendOutcome | undefined
}

/**
 * What waits. Whatever leaves it, or is not let in, is handed back, because its draft must have an outcome. A class,
 * because there may be a hundred thousand.
 */
export class ReorderBuffer<D> {
  readonly #byNumber = new Map<number, News<D>>()

  get size(): number {
    return this.#byNumber.size
  }

  /**
   * Adds news. Two news of one position: the one with the outcome stays. Two positions of one number: the later one
   * stays. Returns the other one.
   */
  put(news: News<D>): News<D> | undefined {
    const { n, ms } = news.position
    const other = this.#byNumber.get(n)
    const isBetter =
      other === undefined ||
      (other.position.ms === ms ? other.draft === undefined || other.outcome === undefined : other.position.ms < ms)
    if (!isBetter) return news
    this.#byNumber.set(n, news)
    return other
  }

  /** Takes what follows a position. */
  takeNext(given: Position): News<D> | undefined {
    const news = this.#byNumber.get(given.n + 1)
    if (news === undefined || news.position.ms < given.ms) return undefined
    this.#byNumber.delete(given.n + 1)
    return news
  }

  /** Takes what waits for this very position. */
  takeAt({ n, ms }: Position): News<D> | undefined {
    const news = this.#byNumber.get(n)
    if (news?.position.ms !== ms) return undefined
    this.#byNumber.delete(n)
    return news
  }

  /**
   * Takes, one after the other, what can come after a position no more: its number has been given, or its time is
   * before it.
   */
  *takeStale(given: Position): IterableIterator<News<D>> {
    for (const [n, news] of this.#byNumber) {
      if (isAfter(news.position, given)) continue
      this.#byNumber.delete(n)
      yield news
    }
  }

  /** Takes everything. */
  takeAll(): readonly News<D>[] {
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

function lowest(all: Iterable<News<unknown>>): Position | undefined {
  let first: Position | undefined
  for (const { position } of all) if (first === undefined || position.n < first.n) first = position
  return first
}

import { failure } from './errors.ts'

/** How an iterator buffers items that the application has not read yet. */
export type IteratorOptions<Item> = {
  /** The most items that wait. Default 1,000. */
  buffer?: number
  /**
   * What happens to an item if the buffer is full: `'throw'` ends the iterator with `consumer_too_slow` after the
   * waiting items have been read, so no loss goes unnoticed; `'drop-oldest'` drops the oldest item and calls `onDrop`.
   * Default `'throw'`.
   */
  overflow?: 'throw' | 'drop-oldest'
  /** Called with the dropped item. */
  onDrop?: (item: Item) => void
}

/** A bounded queue that is read with `for await`. */
export type MessageIterator<Item> = AsyncIterableIterator<Item> & {
  push(item: Item): void
  /** Ends the iterator after the waiting items have been read; throws `error` there, if given. */
  end(error?: Error): void
}

type Taker<Item> = { resolve(result: IteratorResult<Item, undefined>): void; reject(error: Error): void }

/** Creates an iterator. `onReturn` is called once, when it has ended or its consumer has left the loop. */
export function createMessageIterator<Item>(
  { buffer = 1000, overflow = 'throw', onDrop }: IteratorOptions<Item>,
  onReturn: () => void = () => {},
): MessageIterator<Item> {
  const waiting: Item[] = []
  const takers: Taker<Item>[] = []
  let over: { error: Error | undefined } | undefined

  function end(error?: Error): void {
    if (over !== undefined) return
    over = { error }
    onReturn()
    for (const taker of takers.splice(0)) finish(taker)
  }

  /** An error is thrown once; after it the iterator is done, as with generators. */
  function finish(taker: Taker<Item>): void {
    const error = over?.error
    over = { error: undefined }
    if (error === undefined) taker.resolve({ done: true, value: undefined })
    else taker.reject(error)
  }

  return {
    push(item) {
      if (over !== undefined) return
      const taker = takers.shift()
      if (taker !== undefined) return taker.resolve({ done: false, value: item })
      if (waiting.length < buffer) return void waiting.push(item)
      if (overflow === 'throw') return end(failure('consumer_too_slow', { details: { buffer } }))
      waiting.push(item)
      onDrop?.(waiting.shift() as Item)
    },
    end,
    next: () =>
      new Promise((resolve, reject) => {
        const item = waiting.shift()
        if (item !== undefined) resolve({ done: false, value: item })
        else if (over !== undefined) finish({ resolve, reject })
        else takers.push({ resolve, reject })
      }),
    async return() {
      waiting.length = 0
      end()
      over = { error: undefined }
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

import type { RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { indexOfKey, type Key, topToShow, type Viewport } from './rows.ts'

/** What scrolling needs to know of a list. */
export type ScrollOptions<T> = {
  readonly items: readonly T[]
  readonly keyOf: (item: T) => Key
  readonly rowHeight: number
  /** The key of the marked row. */
  readonly marked: Key | undefined
  readonly follow: boolean
  readonly newestFirst?: boolean | undefined
  readonly onLeaveEnd?: (() => void) | undefined
  readonly onTop?: (() => void) | undefined
}

/** The scroll position of a list. */
export type Scroll = {
  /** For the element that scrolls. */
  readonly ref: RefObject<HTMLDivElement>
  readonly viewport: Viewport
  /** Scrolls as little as needed to show a row. */
  show(index: number): void
  onScroll(): void
}

/** Scrolls a list: follows its end, keeps the visible rows in place, and keeps the marked row visible. */
export function useScroll<T>(options: ScrollOptions<T>): Scroll {
  const { items, keyOf, rowHeight, marked, follow } = options
  const ref = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const height = useHeight(ref, items.length === 0)
  const followedTo = useSteadyRows(ref, options)

  function show(index: number): void {
    const element = ref.current
    if (element === null) return
    const wanted = topToShow(index, rowHeight, { top: element.scrollTop, height: element.clientHeight })
    if (wanted !== undefined) element.scrollTop = wanted
  }

  // The marked row stays visible if the list becomes lower, because an element opens below it.
  useLayoutEffect(() => {
    if (follow) return
    const index = indexOfKey(items, keyOf, marked)
    if (index >= 0) show(index)
  }, [height])

  function onScroll(): void {
    const element = ref.current
    if (element === null) return
    setTop(element.scrollTop)
    if (follow && element.scrollTop < followedTo.current - rowHeight) options.onLeaveEnd?.()
    if (element.scrollTop < rowHeight && element.scrollHeight > element.clientHeight) options.onTop?.()
  }

  return { ref, viewport: { top, height }, show, onScroll }
}

/** The height of an element, in pixels, also after it changes. An empty list has no such element. */
function useHeight(ref: RefObject<HTMLDivElement>, isEmpty: boolean): number {
  const [height, setHeight] = useState(600)
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return
    const measure = () => setHeight(element.clientHeight)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [isEmpty])
  return height
}

/**
 * After each rendering, scrolls a list that follows its end to that end, and another one so that its visible rows stay
 * in place. Returns where the end was.
 */
function useSteadyRows<T>(
  ref: RefObject<HTMLDivElement>,
  { items, keyOf, rowHeight, follow, newestFirst }: ScrollOptions<T>,
): { readonly current: number } {
  const first = useRef<Key | undefined>(undefined)
  const followedTo = useRef(0)
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return
    const firstKey = items[0] === undefined ? undefined : keyOf(items[0])
    if (follow) {
      element.scrollTop = items.length * rowHeight
      followedTo.current = element.scrollTop
    } else if (firstKey !== first.current) {
      // Rows inserted above the first visible one must not move the visible ones.
      const added = indexOfKey(items, keyOf, first.current)
      if (added > 0 && !(newestFirst && element.scrollTop < rowHeight)) element.scrollTop += added * rowHeight
    }
    first.current = firstKey
  })
  return followedTo
}

import type { RefObject } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { indexOfKey, type Key, measuredRows, type Rows, renderedRange, topToShow, type Viewport } from './rows.ts'

/** What scrolling needs to know of a list. */
export type ScrollOptions<T> = {
  readonly items: readonly T[]
  readonly keyOf: (item: T) => Key
  /** The height of a row that was not rendered yet. */
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
  readonly ref: RefObject<HTMLDivElement | null>
  /** For the element with the rendered rows. */
  readonly rowsRef: RefObject<HTMLDivElement | null>
  readonly rows: Rows
  readonly range: { readonly from: number; readonly to: number }
  readonly viewport: Viewport
  /** Scrolls as little as needed to show a row. */
  show(index: number): void
  onScroll(): void
}

/** Heights are forgotten when this many rows of lists that changed are remembered. */
const MOST_HEIGHTS = 50_000

/**
 * Scrolls a list of rows of any height: rows are measured when they are rendered. It follows its end, keeps the visible
 * rows in place, and keeps the marked row visible.
 */
export function useScroll<T>(options: ScrollOptions<T>): Scroll {
  const { items, keyOf, rowHeight, marked, follow } = options
  const ref = useRef<HTMLDivElement>(null)
  const rowsRef = useRef<HTMLDivElement>(null)
  const heights = useRef(new Map<Key, number>()).current
  const [top, setTop] = useState(0)
  const [version, measured] = useState(0)
  const { width, height } = useSize(ref, items.length === 0)
  // Text wraps in another way.
  useMemo(() => heights.clear(), [width])
  const rows = useMemo(
    () =>
      measuredRows(
        items.map((item) => heights.get(keyOf(item))),
        rowHeight,
      ),
    [items, version, width],
  )
  const viewport = { top, height }
  const range = renderedRange(viewport, rows, follow)
  const followedTo = useSteadyRows(ref, rows, options)

  useLayoutEffect(() => {
    const grown = measure(rowsRef.current, items, range.from, options, heights)
    if (grown === undefined) return
    const element = ref.current
    if (element !== null && !follow) element.scrollTop += grown(rows.indexAt(element.scrollTop))
    measured((n) => n + 1)
  })

  function show(index: number): void {
    const element = ref.current
    if (element === null) return
    const wanted = topToShow(index, rows, { top: element.scrollTop, height: element.clientHeight })
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
    // Rows that turn out lower than expected move the end too: then nobody has scrolled.
    const toEnd = element.scrollHeight - element.clientHeight - element.scrollTop
    if (follow && element.scrollTop < followedTo.current - rowHeight && toEnd > rowHeight) options.onLeaveEnd?.()
    if (element.scrollTop < rowHeight && element.scrollHeight > element.clientHeight) options.onTop?.()
  }

  return { ref, rowsRef, rows, range, viewport, show, onScroll }
}

/**
 * Measures the rendered rows. Returns undefined if all have the height that they had, else by how much the rows above
 * another one have grown.
 */
function measure<T>(
  element: HTMLElement | null,
  items: readonly T[],
  from: number,
  { keyOf, rowHeight }: Pick<ScrollOptions<T>, 'keyOf' | 'rowHeight'>,
  heights: Map<Key, number>,
): ((before: number) => number) | undefined {
  if (element === null) return undefined
  const changes: { readonly index: number; readonly by: number }[] = []
  if (heights.size > MOST_HEIGHTS) heights.clear()
  for (const [offset, child] of Array.from(element.children).entries()) {
    const item = items[from + offset]
    if (item === undefined) break
    const { height } = child.getBoundingClientRect()
    if (height === 0) continue
    const before = heights.get(keyOf(item))
    heights.set(keyOf(item), height)
    const by = height - (before ?? rowHeight)
    if (Math.abs(by) > 0.5) changes.push({ index: from + offset, by })
  }
  if (changes.length === 0) return undefined
  return (before) => changes.reduce((sum, { index, by }) => (index < before ? sum + by : sum), 0)
}

/** The size of an element, also after it changes. An empty list has no such element. */
function useSize(ref: RefObject<HTMLDivElement | null>, isEmpty: boolean): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 600 })
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return
    const look = () => {
      const { clientWidth: width, clientHeight: height } = element
      setSize((old) => (old.width === width && old.height === height ? old : { width, height }))
    }
    look()
    const observer = new ResizeObserver(look)
    observer.observe(element)
    return () => observer.disconnect()
  }, [isEmpty])
  return size
}

/**
 * After each rendering, scrolls a list that follows its end to that end, and another one so that its visible rows stay
 * in place. Returns where the end was.
 */
function useSteadyRows<T>(
  ref: RefObject<HTMLDivElement | null>,
  rows: Rows,
  { items, keyOf, rowHeight, follow, newestFirst }: ScrollOptions<T>,
): { readonly current: number } {
  const first = useRef<Key | undefined>(undefined)
  const followedTo = useRef(0)
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return
    const firstKey = items[0] === undefined ? undefined : keyOf(items[0])
    if (follow) {
      element.scrollTop = rows.total
      followedTo.current = element.scrollTop
    } else if (firstKey !== first.current) {
      // Rows inserted above the first visible one must not move the visible ones.
      const added = indexOfKey(items, keyOf, first.current)
      if (added > 0 && !(newestFirst && element.scrollTop < rowHeight)) element.scrollTop += rows.topOf(added)
    }
    first.current = firstKey
  })
  return followedTo
}

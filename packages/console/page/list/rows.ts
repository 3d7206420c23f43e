/** Which rows of a list are rendered and where, from numbers alone, in pixels. */

/** The key of a row. */
export type Key = string | number

/** The visible part of a list: its upper edge within all rows, and its height. */
export type Viewport = { readonly top: number; readonly height: number }

/** Where the rows of a list are. */
export type Rows = {
  readonly length: number
  /** The height of all rows together. */
  readonly total: number
  /** The upper edge of a row; that of the row after the last one is `total`. */
  topOf(index: number): number
  /** The row at a distance from the top, within the list. */
  indexAt(px: number): number
}

/** Rows rendered beyond the edges, so that fast scrolling shows no blank area. */
const SPARE = 6

/** Rows of one height. */
export const equalRows = (length: number, rowHeight: number): Rows => ({
  length,
  total: length * rowHeight,
  topOf: (index) => index * rowHeight,
  indexAt: (px) => Math.max(0, Math.min(length - 1, Math.floor(px / rowHeight))),
})

/** Rows of which each has the height that was measured, or else the usual one. */
export function measuredRows(heights: readonly (number | undefined)[], usual: number): Rows {
  const { length } = heights
  const tops = new Float64Array(length + 1)
  for (let at = 0; at < length; at++) tops[at + 1] = tops[at]! + (heights[at] ?? usual)
  return {
    length,
    total: tops[length]!,
    topOf: (index) => tops[Math.max(0, Math.min(length, index))]!,
    indexAt(px) {
      let [low, high] = [0, Math.max(0, length - 1)]
      while (low < high) {
        const middle = (low + high + 1) >> 1
        if (tops[middle]! <= px) low = middle
        else high = middle - 1
      }
      return low
    },
  }
}

/** The rows to render: from an index, up to another without it. */
export function renderedRange(
  { top, height }: Viewport,
  rows: Rows,
  follow: boolean,
): { readonly from: number; readonly to: number } {
  const end = Math.max(0, rows.total - height)
  // A list that follows its end is scrolled there only after it is rendered; one that became shorter shows its end.
  const shownTop = follow ? end : Math.min(top, end)
  const last = rows.indexAt(shownTop + height)
  return {
    from: Math.max(0, rows.indexAt(shownTop) - SPARE),
    to: Math.min(rows.length, last + (rows.topOf(last) < shownTop + height ? 1 : 0) + SPARE),
  }
}

/** Where to scroll, as little as needed, to show a row; undefined if the whole row is visible. */
export function topToShow(index: number, rows: Rows, { top, height }: Viewport): number | undefined {
  const [at, end] = [rows.topOf(index), rows.topOf(index + 1)]
  if (at < top) return at
  // Of a row that is higher than the list, the beginning is shown.
  return end > top + height ? Math.min(at, end - height) : undefined
}

/** The index of the item with this key, or -1. */
export function indexOfKey<T>(items: readonly T[], keyOf: (item: T) => Key, key: Key | undefined): number {
  return key === undefined ? -1 : items.findIndex((item) => keyOf(item) === key)
}

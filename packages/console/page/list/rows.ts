/** Which rows of a list are rendered and where, from numbers alone: rows have one height, in pixels. */

/** The key of a row. */
export type Key = string | number

/** The visible part of a list, in pixels: its upper edge within all rows, and its height. */
export type Viewport = { readonly top: number; readonly height: number }

/** Rows rendered beyond the edges, so that fast scrolling shows no blank area. */
const SPARE = 6

/** The rows to render: from an index, up to another without it. */
export function renderedRange(
  { top, height }: Viewport,
  { length, rowHeight, follow }: { readonly length: number; readonly rowHeight: number; readonly follow: boolean },
): { readonly from: number; readonly to: number } {
  const end = Math.max(0, length * rowHeight - height)
  // A list that follows its end is scrolled there only after it is rendered; one that became shorter shows its end.
  const shownTop = follow ? end : Math.min(top, end)
  return {
    from: Math.max(0, Math.floor(shownTop / rowHeight) - SPARE),
    to: Math.min(length, Math.ceil((shownTop + height) / rowHeight) + SPARE),
  }
}

/** Where to scroll, as little as needed, to show a row; undefined if the whole row is visible. */
export function topToShow(index: number, rowHeight: number, { top, height }: Viewport): number | undefined {
  const at = index * rowHeight
  if (at < top) return at
  return at + rowHeight > top + height ? at + rowHeight - height : undefined
}

/** The index of the item with this key, or -1. */
export function indexOfKey<T>(items: readonly T[], keyOf: (item: T) => Key, key: Key | undefined): number {
  return key === undefined ? -1 : items.findIndex((item) => keyOf(item) === key)
}

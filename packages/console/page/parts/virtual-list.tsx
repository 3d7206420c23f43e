import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'

/**
 * The content of a row. Where only the position of a figure shows its meaning, hidden text states it for screen
 * readers.
 */
export type Row = {
  readonly content: ComponentChildren
  readonly class?: string | undefined
  /** Of a tree: the level, and whether the row is open; undefined if it cannot be opened. */
  readonly level?: number
  readonly expanded?: boolean | undefined
}

/** A list of any length that renders only its visible rows. */
export type VirtualListProps<T> = {
  readonly items: readonly T[]
  readonly keyOf: (item: T) => string | number
  readonly row: (item: T) => Row
  readonly label: string
  readonly role?: 'listbox' | 'tree'
  readonly rowHeight?: number
  /** The list is as high as its rows, up to this many; without it the list fills the available height. */
  readonly maxRows?: number
  /** The key of the selected row; the list itself marks the row that has the keyboard focus. */
  readonly selected?: string | number | undefined
  readonly onSelect?: (item: T) => void
  /** Called for Enter, the space bar, or a click. */
  readonly onOpen?: (item: T) => void
  /** Called for the right (true) or left arrow key. */
  readonly onFold?: (item: T, open: boolean) => void
  /** Keeps the end visible. */
  readonly follow?: boolean
  /** New rows are inserted at the top, and visible if the list is scrolled there. */
  readonly newestFirst?: boolean
  /** Called when the user has scrolled away from the end. */
  readonly onLeaveEnd?: () => void
  /** Called when the user has scrolled to the top. */
  readonly onTop?: () => void
  readonly empty: ComponentChildren
  readonly class?: string
}

/** Rows rendered beyond the edges, so that fast scrolling shows no blank area. */
const SPARE = 6

export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, keyOf, row, label, role = 'listbox', rowHeight = 30, selected, follow = false } = props
  const id = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(600)
  const [activeKey, setActiveKey] = useState<string | number | undefined>(undefined)
  const first = useRef<string | number | undefined>(undefined)
  const setTo = useRef(0)

  const current = selected ?? activeKey
  const total = items.length * rowHeight
  const isEmpty = items.length === 0

  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    const measure = () => setHeight(element.clientHeight)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [isEmpty])

  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    const firstKey = items[0] === undefined ? undefined : keyOf(items[0])
    if (follow) {
      element.scrollTop = total
      setTo.current = element.scrollTop
    } else if (first.current !== undefined && firstKey !== first.current) {
      // Rows inserted above the first visible one must not move the visible ones.
      const added = items.findIndex((item) => keyOf(item) === first.current)
      if (added > 0 && !(props.newestFirst && element.scrollTop < rowHeight)) element.scrollTop += added * rowHeight
    }
    first.current = firstKey
  })

  // The marked row stays visible if the list becomes lower, because an element opens below it.
  useLayoutEffect(() => {
    if (follow || current === undefined) return
    const at = items.findIndex((item) => keyOf(item) === current)
    if (at >= 0) show(at)
  }, [height])

  /** Scrolls as little as needed to show a row. */
  function show(index: number): void {
    const element = scroller.current
    if (element === null) return
    const at = index * rowHeight
    if (at < element.scrollTop) element.scrollTop = at
    else if (at + rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = at + rowHeight - element.clientHeight
  }

  function scrolled(): void {
    const element = scroller.current
    if (element === null) return
    setTop(element.scrollTop)
    if (follow && element.scrollTop < setTo.current - rowHeight) props.onLeaveEnd?.()
    if (element.scrollTop < rowHeight && element.scrollHeight > element.clientHeight) props.onTop?.()
  }

  function select(index: number): void {
    const item = items[index]
    if (item === undefined) return
    setActiveKey(keyOf(item))
    props.onSelect?.(item)
    show(index)
  }

  function onKeyDown(event: KeyboardEvent): void {
    const at = current === undefined ? -1 : items.findIndex((item) => keyOf(item) === current)
    const page = Math.max(1, Math.floor(height / rowHeight) - 1)
    const last = items.length - 1
    const targets: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? last : at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    }
    const target = targets[event.key]
    const item = items[at]
    if (target !== undefined) {
      // Marking a row means reading it: new rows must not move it out of view.
      if (follow && target < last) props.onLeaveEnd?.()
      select(Math.min(last, Math.max(0, target)))
    } else if ((event.key === 'Enter' || event.key === ' ') && item !== undefined) {
      props.onOpen?.(item)
    } else if ((event.key === 'ArrowRight' || event.key === 'ArrowLeft') && item !== undefined && props.onFold) {
      props.onFold(item, event.key === 'ArrowRight')
    } else {
      return
    }
    event.preventDefault()
  }

  if (isEmpty) return <div class={`list empty ${props.class ?? ''}`}>{props.empty}</div>

  const shownTop = follow ? Math.max(0, total - height) : Math.min(top, Math.max(0, total - height))
  const from = Math.max(0, Math.floor(shownTop / rowHeight) - SPARE)
  const to = Math.min(items.length, Math.ceil((shownTop + height) / rowHeight) + SPARE)
  const isThere = (key: string | number) => {
    for (let index = from; index < to; index++) if (keyOf(items[index] as T) === key) return true
    return false
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the role is that of a list box or a tree.
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role is that of a list box or a tree.
    <div
      class={`list ${props.class ?? ''}`}
      ref={scroller}
      style={
        props.maxRows === undefined
          ? undefined
          : { height: `${Math.min(items.length, props.maxRows) * rowHeight + 2}px` }
      }
      role={role}
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={current !== undefined && isThere(current) ? `${id}-${current}` : undefined}
      onScroll={scrolled}
      onKeyDown={onKeyDown}
    >
      <div class="list-space" role="presentation" style={{ height: `${total}px` }}>
        {items.slice(from, to).map((item, offset) => {
          const index = from + offset
          const key = keyOf(item)
          const { content, class: kind = '', level, expanded } = row(item)
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the role is an option's or a treeitem's.
            // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role is an option's or a treeitem's.
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the focus and the keys.
            <div
              key={key}
              id={`${id}-${key}`}
              role={role === 'tree' ? 'treeitem' : 'option'}
              class={`row ${kind}`}
              style={{ top: `${index * rowHeight}px`, height: `${rowHeight}px` }}
              aria-selected={key === current}
              aria-setsize={items.length}
              aria-posinset={index + 1}
              aria-level={level}
              aria-expanded={expanded}
              onClick={() => {
                if (follow) props.onLeaveEnd?.()
                setActiveKey(key)
                props.onSelect?.(item)
                props.onOpen?.(item)
              }}
            >
              {content}
            </div>
          )
        })}
      </div>
    </div>
  )
}

import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { actionOfKey } from '../list/keyboard.ts'
import { indexOfKey, type Key } from '../list/rows.ts'
import { type Scroll, useScroll } from '../list/scroll.ts'

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

/** The items of a list, how they are shown, and what is called when the user acts on them. */
export type VirtualListProps<T> = {
  readonly items: readonly T[]
  readonly keyOf: (item: T) => Key
  readonly row: (item: T) => Row
  readonly label: string
  readonly role?: 'listbox' | 'tree'
  /** The height of most rows; each row is as high as its content. */
  readonly rowHeight?: number
  /** The list is as high as its rows, up to this many; without it the list fills the available height. */
  readonly maxRows?: number
  /** The key of the selected row; the list itself marks the row that has the keyboard focus. */
  readonly selected?: Key | undefined
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

/** A list of any length that renders only its visible rows. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, keyOf, role = 'listbox', rowHeight = 30, follow = false } = props
  const id = useId()
  const [lastMarked, setLastMarked] = useState<Key | undefined>(undefined)
  const marked = props.selected ?? lastMarked
  const scroll = useScroll({ ...props, rowHeight, follow, marked })
  const { onKeyDown, onRowClick } = inputHandlers({ ...props, rowHeight, follow, marked, setLastMarked, scroll })

  if (items.length === 0) return <div class={`list empty ${props.class ?? ''}`}>{props.empty}</div>

  const { rows, range } = scroll
  const rendered = items.slice(range.from, range.to)
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the role is that of a list box or a tree.
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role is that of a list box or a tree.
    <div
      class={`list ${props.class ?? ''}`}
      ref={scroll.ref}
      style={heightStyle(rows.total, rowHeight, props.maxRows)}
      role={role}
      tabIndex={0}
      aria-label={props.label}
      aria-activedescendant={indexOfKey(rendered, keyOf, marked) < 0 ? undefined : `${id}-${marked}`}
      onScroll={scroll.onScroll}
      onKeyDown={onKeyDown}
    >
      <div
        class="list-space"
        role="presentation"
        ref={scroll.rowsRef}
        style={{ height: `${rows.total}px`, paddingTop: `${rows.topOf(range.from)}px` }}
      >
        {rendered.map((item, offset) => (
          <VirtualRow
            key={keyOf(item)}
            id={`${id}-${keyOf(item)}`}
            role={role === 'tree' ? 'treeitem' : 'option'}
            row={props.row(item)}
            index={range.from + offset}
            count={items.length}
            isMarked={keyOf(item) === marked}
            onClick={() => onRowClick(item)}
          />
        ))}
      </div>
    </div>
  )
}

type InputHandlersOptions<T> = VirtualListProps<T> & {
  readonly rowHeight: number
  readonly follow: boolean
  readonly marked: Key | undefined
  readonly setLastMarked: (key: Key) => void
  readonly scroll: Pick<Scroll, 'viewport' | 'show'>
}

/** What a key and a click do: they mark, open and fold rows. */
function inputHandlers<T>(list: InputHandlersOptions<T>) {
  const { items, keyOf, rowHeight, follow, scroll } = list

  function mark(item: T): void {
    list.setLastMarked(keyOf(item))
    list.onSelect?.(item)
  }

  function onRowClick(item: T): void {
    if (follow) list.onLeaveEnd?.()
    mark(item)
    list.onOpen?.(item)
  }

  function onKeyDown(event: KeyboardEvent): void {
    const action = actionOfKey(event.key, {
      marked: indexOfKey(items, keyOf, list.marked),
      length: items.length,
      visibleRows: Math.floor(scroll.viewport.height / rowHeight),
      canFold: list.onFold !== undefined,
    })
    if (action === undefined) return
    const item = items[action.index] as T
    if (action.kind === 'mark') {
      // Marking a row means reading it: new rows must not move it out of view.
      if (follow && action.leavesEnd) list.onLeaveEnd?.()
      mark(item)
      scroll.show(action.index)
    } else if (action.kind === 'open') list.onOpen?.(item)
    else list.onFold?.(item, action.open)
    event.preventDefault()
  }

  return { onKeyDown, onRowClick }
}

/** The height of a list that is as high as its rows, up to that of `maxRows` usual ones, with its border. */
function heightStyle(total: number, rowHeight: number, maxRows: number | undefined) {
  return maxRows === undefined ? undefined : { height: `${Math.min(total, maxRows * rowHeight) + 2}px` }
}

type VirtualRowProps = {
  readonly id: string
  readonly role: 'option' | 'treeitem'
  readonly row: Row
  readonly index: number
  /** The number of rows of the list. */
  readonly count: number
  readonly isMarked: boolean
  readonly onClick: () => void
}

function VirtualRow({ id, role, row, index, count, isMarked, onClick }: VirtualRowProps) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the role is an option's or a treeitem's.
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role is an option's or a treeitem's.
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the focus and the keys.
    <div
      id={id}
      role={role}
      class={`row ${row.class ?? ''}`}
      aria-selected={isMarked}
      aria-setsize={count}
      aria-posinset={index + 1}
      aria-level={row.level}
      aria-expanded={row.expanded}
      onClick={onClick}
    >
      {row.content}
    </div>
  )
}

import { useMemo, useState } from 'preact/hooks'
import { isOpenable, type JsonRow, rootOf, rowsOf, showMore, sizeOf, toggle, valueText } from '../json/nodes.ts'
import { count } from '../kit/text.ts'
import { type Row, VirtualList } from './virtual-list.tsx'

/** The number of characters of a long text that are shown at first, and added each time. */
const FIRST = 4000
const STEP = 40_000

type JsonViewProps = {
  readonly value: unknown
  readonly name?: string
  readonly open?: boolean
  /** The number of rows after which the view scrolls. */
  readonly most?: number
}

const ROW_HEIGHT = 24

/** A value as a JSON tree that can be expanded. All of it is rendered as text. */
export function JsonView({ value, name = 'payload', open = true, most = 10 }: JsonViewProps) {
  const root = useMemo(() => {
    const made = rootOf(value, name)
    if (open) toggle(made, true)
    return made
  }, [value, name, open])
  const [, redraw] = useState(0)
  const [chosen, setChosen] = useState<JsonRow | undefined>(undefined)
  const rows = rowsOf(root)
  const shown = chosen !== undefined && rows.some(({ node }) => node === chosen.node) ? chosen.node : undefined

  function fold(row: JsonRow, isOpen?: boolean): void {
    if (row.kind === 'more') showMore(row.node)
    else toggle(row.node, isOpen)
    redraw((n) => n + 1)
  }

  return (
    <div class="json">
      <VirtualList
        items={rows}
        keyOf={({ node, kind }) => (kind === 'more' ? -node.id : node.id)}
        row={rowOf}
        label={`${name} as JSON`}
        role="tree"
        rowHeight={ROW_HEIGHT}
        maxRows={most}
        onSelect={setChosen}
        onOpen={(row) => fold(row)}
        onFold={fold}
        empty="nothing"
      />
      {typeof shown?.value === 'string' && shown.value.length > 60 && <LongText key={shown.id} text={shown.value} />}
    </div>
  )
}

function rowOf({ node, kind }: JsonRow): Row {
  // Beyond some depth rows are not indented further: a number shows their depth.
  const indent = Math.min(node.level + (kind === 'more' ? 1 : 0), 16)
  const openable = isOpenable(node)
  const isMore = kind === 'more'
  return {
    level: node.level + (isMore ? 1 : 0),
    expanded: isMore || !openable ? undefined : node.open,
    class: `json-row indent-${indent}`,
    content: isMore ? (
      <span class="json-more">Show more of {count(sizeOf(node))}</span>
    ) : (
      <>
        <span class="fold" aria-hidden="true">
          {openable ? (node.open ? '▾' : '▸') : ''}
        </span>
        {node.level > 16 && <span class="json-depth">{node.level}</span>}
        <span class="json-key">{node.key.slice(0, 200)}</span>
        <span class={`json-value json-${kindOf(node.value)}`}>{valueText(node)}</span>
      </>
    ),
  }
}

const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value)

function LongText({ text }: { text: string }) {
  const [length, setLength] = useState(FIRST)
  return (
    <section class="long-text" aria-label="The whole text">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element must be reachable by keyboard. */}
      <pre tabIndex={0}>{text.slice(0, length)}</pre>
      {length < text.length && (
        <button type="button" onClick={() => setLength(length + STEP)}>
          Show more: {count(length)} of {count(text.length)} characters
        </button>
      )}
    </section>
  )
}

/**
 * JSON as a tree that is expanded step by step: the children of a node are created when it is opened, a hundred at a
 * time.
 */
import { preview } from './preview.ts'

/** One value in the tree. */
export type JsonNode = {
  readonly id: number
  readonly key: string
  readonly value: unknown
  readonly level: number
  open: boolean
  /** The number of visible children. */
  shown: number
  children: JsonNode[] | undefined
  /** The key of each child, once the children exist. */
  keys: readonly string[] | undefined
}

/** A row of the tree: a value, or the offer to show more children of one. */
export type JsonRow =
  | { readonly node: JsonNode; readonly kind: 'value' }
  | { readonly node: JsonNode; readonly kind: 'more' }

const STEP = 100
/** The most rows that are expanded at a time. */
const MOST_ROWS = 20_000

let ids = 0

/** Creates the root node for a value. */
export function rootOf(value: unknown, key = 'payload'): JsonNode {
  return nodeOf(key, value, 1)
}

const nodeOf = (key: string, value: unknown, level: number): JsonNode => ({
  id: ++ids,
  key,
  value,
  level,
  open: false,
  shown: STEP,
  children: undefined,
  keys: undefined,
})

/** True for a node that can be opened. */
export const isOpenable = ({ value }: JsonNode): boolean => {
  if (typeof value !== 'object' || value === null) return false
  for (const _ in value) return true
  return false
}

/** Opens or closes a node. */
export function toggle(node: JsonNode, open = !node.open): void {
  if (isOpenable(node)) node.open = open
}

/** Shows the next hundred children. */
export function showMore(node: JsonNode): void {
  node.shown += STEP
}

/** The number of children of a node. */
export const sizeOf = (node: JsonNode): number => keysOf(node).length

function keysOf(node: JsonNode): readonly string[] {
  node.keys ??= Object.keys(node.value as object)
  return node.keys
}

function childrenOf(node: JsonNode): readonly JsonNode[] {
  const keys = keysOf(node)
  const wanted = Math.min(keys.length, node.shown)
  node.children ??= []
  for (let at = node.children.length; at < wanted; at++) {
    const key = keys[at] as string
    node.children.push(nodeOf(key, (node.value as Record<string, unknown>)[key], node.level + 1))
  }
  return node.children
}

/**
 * The visible rows, in order. Uses a list instead of recursion: a payload may be nested deeper than the stack allows.
 */
export function rowsOf(root: JsonNode): JsonRow[] {
  const rows: JsonRow[] = []
  const waiting: JsonRow[] = [{ node: root, kind: 'value' }]
  while (waiting.length > 0 && rows.length < MOST_ROWS) {
    const row = waiting.pop() as JsonRow
    rows.push(row)
    const { node, kind } = row
    if (kind === 'more' || !node.open) continue
    const children = childrenOf(node)
    if (sizeOf(node) > children.length) waiting.push({ node, kind: 'more' })
    for (let at = children.length - 1; at >= 0; at--) waiting.push({ node: children[at] as JsonNode, kind: 'value' })
  }
  return rows
}

/** The text after the key. */
export function valueText({ value, open }: JsonNode): string {
  if (typeof value === 'string' && value.length > 200) {
    return `${preview(value, 200)} ${value.length.toLocaleString('en-US')} characters`
  }
  if (Array.isArray(value)) return open ? `list of ${value.length}` : preview(value, 120)
  return open && typeof value === 'object' && value !== null ? '' : preview(value, 120)
}

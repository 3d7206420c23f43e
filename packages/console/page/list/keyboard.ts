/** What a key of the keyboard does in a list. */

/** What a key does: marks a row, or opens the marked one, or unfolds or folds it. */
export type KeyAction =
  | { readonly kind: 'mark'; readonly index: number; readonly leavesEnd: boolean }
  | { readonly kind: 'open'; readonly index: number }
  | { readonly kind: 'fold'; readonly index: number; readonly open: boolean }

/** The list when the key is pressed. */
export type KeyContext = {
  /** The index of the marked row, or -1. */
  readonly marked: number
  readonly length: number
  /** How many rows are visible. */
  readonly visibleRows: number
  readonly canFold: boolean
}

/** The action of a key as `KeyboardEvent.key` names it; undefined if the key means nothing here. */
export function actionOfKey(key: string, context: KeyContext): KeyAction | undefined {
  const { marked, length, canFold } = context
  const target = targetOf(key, context)
  if (target !== undefined) {
    const last = length - 1
    return { kind: 'mark', index: Math.min(last, Math.max(0, target)), leavesEnd: target < last }
  }
  if (marked < 0) return undefined
  if (key === 'Enter' || key === ' ') return { kind: 'open', index: marked }
  if (canFold && key === 'ArrowRight') return { kind: 'fold', index: marked, open: true }
  if (canFold && key === 'ArrowLeft') return { kind: 'fold', index: marked, open: false }
  return undefined
}

/** The row that a key goes to, perhaps beyond the first or the last one. */
function targetOf(key: string, { marked, length, visibleRows }: KeyContext): number | undefined {
  const last = length - 1
  // One row less than is visible, so that a row of the previous page stays in view.
  const page = Math.max(1, visibleRows - 1)
  switch (key) {
    case 'ArrowDown':
      return marked + 1
    case 'ArrowUp':
      return marked < 0 ? last : marked - 1
    case 'PageDown':
      return marked + page
    case 'PageUp':
      return marked - page
    case 'Home':
      return 0
    case 'End':
      return last
    default:
      return undefined
  }
}

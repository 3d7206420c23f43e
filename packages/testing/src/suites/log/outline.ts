/** Positions and pages in short, to compare them with. */
import type { Position } from '@arqonbus/protocol'
import type { Page } from '@arqonbus/server'

/** A position, and nothing that an entry has beside it. */
export const plain = ({ ms, n }: Position): Position => ({ ms, n })

/** A page as numbers. */
export const outline = (page: Page) => ({
  entries: page.entries.map(({ n }) => n),
  hasMore: page.hasMore,
  first: page.first.n,
  last: page.last.n,
})

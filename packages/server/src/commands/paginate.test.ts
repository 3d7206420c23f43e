import { expect, test } from 'bun:test'
import { Ordered } from '../kit/ordered.ts'
import { pageOf } from './paginate.ts'

/** A list of so many items, and how many of them were looked at. */
function listOf(count: number) {
  const list = new Ordered<{ seq: number }>()
  for (let seq = 1; seq <= count; seq++) list.add({ seq })
  let looked = 0
  const page = (fits: (seq: number) => boolean, cursor?: string, limit?: number) => {
    looked = 0
    const { entries, cursor: next } = pageOf(
      {
        after: (seq) => list.after(seq),
        view: ({ seq }) => ({ seq }),
        fits({ seq }) {
          looked++
          return fits(seq)
        },
        maxBytes: 1_000_000,
      },
      { cursor, limit },
    )
    return { seqs: (JSON.parse(entries.text) as { seq: number }[]).map(({ seq }) => seq), next, looked }
  }
  return page
}

test('a page examines its own items and one more, wherever in the list it begins', () => {
  const page = listOf(50_000)
  const deep = page(() => true, (40_000).toString(36), 2)
  expect(deep).toEqual({ seqs: [40_001, 40_002], next: (40_002).toString(36), looked: 3 })
})

test('a page of a list that is mostly filtered is short, and the pages together have everything', () => {
  const page = listOf(50_000)
  const found: number[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const { seqs, next, looked } = page((seq) => seq % 9999 === 0, cursor, 100)
    expect(looked).toBeLessThanOrEqual(4001)
    found.push(...seqs)
    cursor = next
    pages++
  } while (cursor !== undefined)
  expect(found).toEqual([9999, 19_998, 29_997, 39_996, 49_995])
  expect(pages).toBe(13)
})

test('items that take longer to view shorten the page', () => {
  const list = new Ordered<{ seq: number }>()
  for (let seq = 1; seq <= 100; seq++) list.add({ seq })
  const { entries, cursor } = pageOf(
    { after: (seq) => list.after(seq), view: ({ seq }) => ({ seq }), steps: () => 999, maxBytes: 1_000_000 },
    {},
  )
  expect([JSON.parse(entries.text), cursor]).toEqual([[1, 2, 3, 4].map((seq) => ({ seq })), '4'])
})

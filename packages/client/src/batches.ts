import type { JoinEntry } from './recovery.ts'

/** The most channels that one `join_channel` accepts (docs/protocol.md#history-and-recovery). */
const MAX_ENTRIES = 100

/** Bytes reserved for the envelope around the entries. */
const ENVELOPE_BYTES = 1024

/**
 * Divides joins into commands, each within the frame limit. A whole room may have a thousand positions; where they do
 * not fit into a frame, ids and then positions are left out, and the numbers of the positions reveal what was missed.
 */
export function batchesOf(entries: readonly JoinEntry[], maxFrameBytes: number): JoinEntry[][] {
  const batches: JoinEntry[][] = []
  const maxBytes = maxFrameBytes - ENVELOPE_BYTES
  let bytes = 0
  for (const full of entries) {
    const entry = fitted(full, maxBytes)
    const last = batches.at(-1)
    bytes += lengthOf(entry)
    if (last !== undefined && last.length < MAX_ENTRIES && bytes <= maxBytes) {
      last.push(entry)
    } else {
      batches.push([entry])
      bytes = lengthOf(entry)
    }
  }
  return batches
}

function fitted(entry: JoinEntry, maxBytes: number): JoinEntry {
  if (lengthOf(entry) <= maxBytes) return entry
  const { since_id: _, ...withoutIds } = entry
  if (lengthOf(withoutIds) <= maxBytes) return withoutIds
  const { since: __, ...withoutPositions } = withoutIds
  return withoutPositions
}

/** Names, ids and positions are ASCII, so a character is a byte; the comma counts. */
const lengthOf = (entry: JoinEntry): number => JSON.stringify(entry).length + 1

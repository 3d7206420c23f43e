/**
 * Tombstones: what is delivered in place of a message that was deleted (docs/protocol.md#deleted-messages). Id, sender,
 * position and timestamp stay; the payload is empty, and the metadata says that it was deleted.
 */

/** What is between the timestamp and the position of a tombstone. */
export const TOMBSTONE_BODY = '","payload":{},"metadata":{"arq_deleted":true,"position":"'

const BEHIND_TIMESTAMP = '","payload":'

/** The tombstone of a delivered message, at this position. */
export function tombstoneOf(text: string, position: string): string {
  const head = text.slice(0, text.indexOf(BEHIND_TIMESTAMP))
  return [head, TOMBSTONE_BODY, position, '"}}'].join('')
}

/** True for the tombstone of a message. */
export const isTombstone = (text: string): boolean => text.startsWith(TOMBSTONE_BODY, text.indexOf(BEHIND_TIMESTAMP))

/** True where a tombstone is that of a delivered message, or the message itself. */
export const isTombstoneOf = (tombstone: string, text: string): boolean =>
  text.startsWith(tombstone.slice(0, tombstone.indexOf(BEHIND_TIMESTAMP)))

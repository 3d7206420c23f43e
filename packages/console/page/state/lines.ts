/** The rows of a channel, and how those of its history and the live ones become one list. */
import type { Message } from '@arqonbus/client'
import { preview } from '../json/preview.ts'

/** One row of a channel: a message, or the notice that some may be missing. */
export type Line = {
  readonly id: number
  readonly at: number
  readonly from: string
  readonly message: Message | undefined
  /** The payload in one line, computed on demand. */
  text(): string
}

let ids = 0

/** The row of a message. */
export function lineOf(message: Message): Line {
  let text: string | undefined
  return {
    id: ++ids,
    at: Date.parse(message.timestamp),
    from: message.from,
    message,
    text() {
      text ??= preview(message.payload, 300)
      return text
    },
  }
}

/** The row of a notice. */
export const noticeOf = (text: string): Line => ({
  id: ++ids,
  at: Date.now(),
  from: '',
  message: undefined,
  text: () => text,
})

/**
 * Live rows and the last messages of the history, both oldest first, as one list in the order of the log. Live rows that
 * are not in the history, such as notices, stay after the row that they follow.
 */
export function mergeLines(history: readonly Message[], live: readonly Line[]): readonly Line[] {
  const indexOf = new Map(live.map(({ message }, index) => [message?.id, index]))
  const oldest = Date.parse(history[0]?.timestamp ?? '')
  const merged: Line[] = []
  let next = 0
  // A page of history may begin after all live rows, if the page was away for long.
  while (next < live.length && live[next]!.at < oldest) merged.push(live[next++]!)
  for (const message of history) {
    const index = indexOf.get(message.id)
    if (index === undefined) merged.push(lineOf(message))
    else while (next <= index) merged.push(live[next++]!)
  }
  return [...merged, ...live.slice(next)]
}

/** The frames that were refused in the last 15 minutes, by code, with the client that sent most of them. */
import type { ErrorCode, RefusedFrames } from '@arqonbus/protocol'
import { copyText } from '../kit/text.ts'

/** Refusals of one code. */
type Tally = { count: number; readonly senders: Map<string, number> }

/** The window moves on by a minute. */
export const SLOT_MS = 60_000
const SLOTS = 15

/** A client that sends more than one in so many of the refused frames is found, however many clients send some. */
const MOST_SENDERS = 16

/** Counts refused frames. Its memory is bounded for any number of frames and clients. */
export class RefusalWindow {
  #slots: Map<ErrorCode, Tally>[] = [new Map()]

  /** A frame of a client was refused. */
  add(code: ErrorCode, clientId: string): void {
    const tally = this.#slots.at(-1)!.getOrInsertComputed(code, () => ({ count: 0, senders: new Map() }))
    tally.count++
    addSender(tally.senders, clientId)
  }

  /** A minute has passed: the one before the last 15 is forgotten. */
  moveOn(): void {
    this.#slots.push(new Map())
    if (this.#slots.length > SLOTS) this.#slots.shift()
  }

  /** All codes with a refusal, the most frequent first. */
  byCode(): readonly RefusedFrames[] {
    const all = new Map<ErrorCode, Tally>()
    for (const slot of this.#slots) {
      for (const [code, { count, senders }] of slot) {
        const sum = all.getOrInsertComputed(code, () => ({ count: 0, senders: new Map() }))
        sum.count += count
        for (const [id, own] of senders) sum.senders.set(id, (sum.senders.get(id) ?? 0) + own)
      }
    }
    return [...all].map(([code, tally]) => viewOf(code, tally)).sort((a, b) => b.count - a.count)
  }
}

function viewOf(code: ErrorCode, { count, senders }: Tally): RefusedFrames {
  let top: string | undefined
  for (const [id, own] of senders) if (top === undefined || own > senders.get(top)!) top = id
  return { code, count, ...(top !== undefined && { client_id: top }) }
}

/**
 * Where there is no room for another sender, all lose one (the algorithm of Misra and Gries): those that send most stay.
 */
function addSender(senders: Map<string, number>, id: string): void {
  const count = senders.get(id)
  if (count !== undefined) senders.set(id, count + 1)
  else if (senders.size < MOST_SENDERS) senders.set(copyText(id), 1)
  else for (const [other, own] of senders) own > 1 ? senders.set(other, own - 1) : senders.delete(other)
}

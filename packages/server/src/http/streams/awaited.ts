/**
 * Channels that streams wait for: a stream of a channel that does not exist creates nothing, and joins the channel when
 * another client creates it.
 */
import type { Channel } from '../../state/model.ts'

/** Who waits for which channel. */
export type Awaited = ReturnType<typeof createAwaited>

/** Creates the list of awaited channels; no stream waits yet. */
export function createAwaited() {
  const waiting = new Map<string, Set<(channel: Channel) => void>>()
  return {
    get size() {
      return waiting.size
    },
    /** Waits for a channel, by its address; returns what ends the wait. */
    wait(address: string, found: (channel: Channel) => void): () => void {
      const all = waiting.get(address) ?? new Set()
      waiting.set(address, all.add(found))
      return () => {
        all.delete(found)
        if (all.size === 0 && waiting.get(address) === all) waiting.delete(address)
      }
    },
    /** The channel is there: all who wait for it hear of it, in this turn. */
    created(channel: Channel): void {
      // Most buses have no streams, and this is called for every channel.
      if (waiting.size === 0) return
      const all = waiting.get(channel.address)
      waiting.delete(channel.address)
      for (const found of all ?? []) found(channel)
    },
    /** The addresses that are waited for. */
    addresses: (): readonly string[] => [...waiting.keys()],
  }
}

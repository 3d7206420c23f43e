/** The rates of events by name, over the last seconds. */
export type Rates = {
  add(name: string, count: number, nowMs: number): void
  /** Events per second, over the window. */
  of(name: string, nowMs: number): number
  /** Removes names without an event within a window. */
  sweep(nowMs: number): void
  readonly size: number
}

const SLOTS = 10

/** Creates the rates. Each name costs a list of ten numbers, and there are at most `maxNames`. */
export function createRates(windowMs = 5000, maxNames = 20_000): Rates {
  const slotMs = windowMs / SLOTS
  const byName = new Map<string, { slots: number[]; last: number }>()

  /** Resets the slots that are reused for the current time. */
  function forward(entry: { slots: number[]; last: number }, slot: number): void {
    const from = Math.max(entry.last + 1, slot - SLOTS + 1)
    for (let at = from; at <= slot; at++) entry.slots[at % SLOTS] = 0
    entry.last = Math.max(entry.last, slot)
  }

  return {
    add(name, count, nowMs) {
      const slot = Math.floor(nowMs / slotMs)
      let entry = byName.get(name)
      if (entry === undefined) {
        if (byName.size >= maxNames) return
        entry = { slots: new Array(SLOTS).fill(0), last: slot }
        byName.set(name, entry)
      }
      forward(entry, slot)
      entry.slots[slot % SLOTS]! += count
    },
    of(name, nowMs) {
      const entry = byName.get(name)
      const slot = Math.floor(nowMs / slotMs)
      if (entry === undefined || slot - entry.last >= SLOTS) return 0
      forward(entry, slot)
      return entry.slots.reduce((sum, count) => sum + count, 0) / (windowMs / 1000)
    },
    sweep(nowMs) {
      const slot = Math.floor(nowMs / slotMs)
      for (const [name, { last }] of byName) if (slot - last >= SLOTS) byName.delete(name)
    },
    get size() {
      return byName.size
    },
  }
}

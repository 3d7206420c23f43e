/**
 * Makes room for one more entry in a map that holds `most`: drops the oldest one that `mayDrop`. Where there is none such,
 * the map grows.
 */
export function makeRoom<Value>(all: Map<string, Value>, most: number, mayDrop: (value: Value) => boolean): void {
  if (all.size < most) return
  for (const [key, value] of all) {
    if (!mayDrop(value)) continue
    all.delete(key)
    return
  }
}

/**
 * Counts the work of a process: the steps of its loops, and the reads and writes of the runtime. A unit is about 20 ns
 * on a machine of 2026, but counts are the same on every machine, however busy it is.
 *
 * It counts the steps of every loop over a Map, a Set, an array or a generator, every look-up, every element that an
 * array method visits, and the characters of parsed JSON and of searched texts. Other loops are not counted.
 */

/** The counts. */
export type Counter = {
  /** Units since the start. */
  readonly units: number
  /** The most units of one turn of the event loop, from one round of immediates to the next, since the last call. */
  takeMost(): number
  add(units: number): void
}

/** Nanoseconds of a unit, if counted work is used as time. */
export const UNIT_NS = 20

/** The costs of operations, in units. */
const cost = {
  step: 1,
  /** Per element. */
  sort: 5,
  /** Per character. */
  parse: 0.3,
  stringify: 0.15,
  search: 0.01,
  copy: 0.02,
  join: 0.01,
}

type Method = (this: unknown, ...parameters: unknown[]) => unknown
type Methods = Record<string, Method>

/** Starts counting: built-in methods count their work from now on. Use it in a separate process. */
export function countWork(): Counter {
  let units = 0
  let most = 0
  let begun = 0
  let isTurn = false
  const add = (more: number) => {
    units += more
    if (isTurn) return
    isTurn = true
    begun = units - more
    setImmediate(endTurn)
  }
  const endTurn = () => {
    isTurn = false
    most = Math.max(most, units - begun)
  }
  const wrap = (
    prototype: object,
    names: readonly string[],
    before: (self: unknown, parameters: unknown[]) => number,
  ) => {
    for (const name of names) {
      const original = (prototype as Methods)[name]!
      Object.defineProperty(prototype, name, {
        configurable: true,
        writable: true,
        value(this: unknown, ...parameters: unknown[]) {
          add(before(this, parameters))
          return Reflect.apply(original, this, parameters)
        },
      })
    }
  }
  const step = () => cost.step
  const length = (self: unknown) => (self as { length: number }).length

  wrap(Map.prototype, ['get', 'set', 'has', 'delete'], step)
  wrap(Set.prototype, ['add', 'has', 'delete'], step)
  const iterators = [new Map(), new Set(), []].map((one) => Object.getPrototypeOf(one[Symbol.iterator]()))
  const generator = Object.getPrototypeOf((function* () {})()) as object
  for (const prototype of [...iterators, Object.getPrototypeOf(Object.getPrototypeOf(generator))])
    wrap(prototype, ['next'], step)
  wrap(Map.prototype, ['forEach'], (self) => (self as Map<unknown, unknown>).size)
  wrap(
    Array.prototype,
    ['map', 'filter', 'forEach', 'some', 'every', 'find', 'findIndex', 'findLast', 'reduce', 'flatMap'],
    length,
  )
  wrap(
    Array.prototype,
    ['slice', 'concat', 'flat', 'includes', 'indexOf', 'toReversed', 'splice', 'shift'],
    (self) => 1 + length(self) / 10,
  )
  wrap(Array.prototype, ['sort', 'toSorted'], (self) => cost.sort * length(self))
  wrap(Object, ['entries', 'values', 'keys'], (_self, [object]) => membersOf(object))
  wrap(String.prototype, ['split', 'replace', 'replaceAll', 'match'], (self) => 1 + cost.copy * length(self))
  wrap(String.prototype, ['lastIndexOf', 'includes'], (self) => 1 + cost.search * length(self))
  const { join } = Array.prototype
  Array.prototype.join = function (separator) {
    const text = Reflect.apply(join, this, [separator]) as string
    add(1 + this.length / 10 + cost.join * text.length)
    return text
  }
  const { indexOf } = String.prototype
  // Many searches from position to position together scan the text once.
  String.prototype.indexOf = function (what, from = 0) {
    const found = Reflect.apply(indexOf, this, [what, from]) as number
    add(1 + cost.search * ((found < 0 ? this.length : found) - from))
    return found
  }
  // `test` calls `exec`.
  const isAtOnePlace = (self: unknown) => (self as RegExp).sticky
  wrap(RegExp.prototype, ['exec'], (self, [text]) => 3 + (isAtOnePlace(self) ? 0 : cost.search * String(text).length))
  wrap(JSON, ['parse'], (_self, [text]) => 1 + cost.parse * String(text).length)
  wrap(Buffer, ['byteLength'], (_self, [text]) => 1 + cost.search * (text as string).length)
  const stringify = JSON.stringify as unknown as Method
  JSON.stringify = ((...parameters: unknown[]) => {
    const text = stringify(...parameters) as string | undefined
    add(1 + cost.stringify * (text?.length ?? 0))
    return text
  }) as typeof JSON.stringify

  return {
    get units() {
      return units
    },
    takeMost() {
      const taken = most
      most = 0
      return taken
    },
    add,
  }
}

function membersOf(object: unknown): number {
  let count = 0
  for (const _ in object as object) count++
  return count
}

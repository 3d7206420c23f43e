import { expect, test } from 'bun:test'
import type { Change } from './store.ts'
import { WriteBehind } from './write-behind.ts'

/** A store whose answers are given by the test. */
function rig() {
  const values = new Map<string, string>()
  const calls: { names: string[]; succeed(): void; refuse(name: string): void; fail(): void }[] = []
  const wake: (() => void)[] = []
  const behind = new WriteBehind({
    delayMs: 0,
    most: 3,
    isGone: (name) => !values.has(name),
    changeOf: (name): Change => ({ kind: 'room', name, text: values.get(name) }),
    write: (changes) =>
      new Promise((resolve, reject) => {
        calls.push({
          names: changes.map(({ name, text }) => `${name}=${text}`),
          succeed: () => resolve([]),
          refuse: (refused) => resolve(changes.filter(({ name }) => name === refused)),
          fail: () => reject(new Error('the test')),
        })
        wake.shift()?.()
      }),
  })
  return {
    behind,
    set(name: string, value: string) {
      values.set(name, value)
      behind.changed(name)
    },
    /** The next batch that is written. */
    async next() {
      if (calls.length === 0) await new Promise<void>((resolve) => wake.push(resolve))
      return calls.shift()!
    },
  }
}

test('a record that changes several times is written once, with its last value', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  for (const value of ['1', '2', '3']) set('a', value)
  set('b', '1')
  expect((await next()).names).toEqual(['a=3', 'b=1'])
})

test('batches follow one another, and later changes are in the next one', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  set('a', '1')
  const first = await next()
  set('a', '2')
  set('b', '1')
  expect(behind.pending.has('a')).toBeTrue()
  const settled = behind.flushed()
  first.succeed()
  const second = await next()
  expect(second.names).toEqual(['a=2', 'b=1'])
  second.succeed()
  expect(await settled).toBeTrue()
  expect([behind.pending.has('a'), behind.flushed()]).toEqual([false, true])
})

test('a flush does not wait for later changes', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  set('a', '1')
  const settled = behind.flushed()
  const first = await next()
  set('b', '1')
  first.succeed()
  expect(await settled).toBeTrue()
  expect(behind.pending.has('b')).toBeTrue()
})

test('during an outage no flush waits, and changes and unfinished writes are written afterwards', async () => {
  const { behind, set, next } = rig()
  expect(behind.flushed()).toBeFalse()
  behind.ready()
  set('a', '1')
  const lost = await next()
  const settled = behind.flushed()
  set('b', '1')
  behind.away()
  expect(await settled).toBeFalse()
  lost.fail()
  set('a', '2')
  behind.ready()
  const again = await next()
  expect(again.names).toEqual(['a=2', 'b=1'])
  const later = behind.flushed()
  again.succeed()
  expect(await later).toBeTrue()
})

test('records that come and go during an outage are not remembered without bound', async () => {
  const { behind, set, next } = rig()
  set('here', '1')
  for (let i = 0; i < 1000; i++) behind.changed(`gone-${i}`)
  behind.ready()
  const { names } = await next()
  expect(names).toContain('here=1')
  expect(names.length).toBeLessThanOrEqual(4)
})

test('required records are written at once, ahead of waiting ones, and only once', async () => {
  const { behind, set, next } = rig()
  const ahead = (...keys: string[]) => [...behind.ahead(keys).values()].map(({ name, text }) => `${name}=${text}`)
  behind.ready()
  expect(ahead('a')).toEqual([])
  for (const name of ['a', 'b', 'c']) set(name, '1')
  expect(ahead('c', 'd')).toEqual(['c=1'])
  const first = await next()
  expect(first.names).toEqual(['c=1'])
  // It is on its way, and not known to be there yet.
  expect(ahead('c')).toEqual(['c=1'])
  first.succeed()
  expect((await next()).names).toEqual(['a=1', 'b=1'])
  expect([behind.pending.has('c'), ahead('c')]).toEqual([false, []])
})

test('only refused records of a batch are written again, and not for every message', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  for (const name of ['a', 'b']) set(name, '1')
  behind.ahead(['a', 'b'])
  ;(await next()).refuse('a')
  set('c', '1')
  const other = await next()
  expect(other.names).toEqual(['c=1'])
  expect([behind.pending.has('a'), behind.pending.has('b')]).toEqual([true, false])
  expect([...behind.ahead(['a', 'c']).keys()]).toEqual(['a', 'c'])
  behind.away()
  behind.ready()
  expect((await next()).names).toEqual(['a=1', 'c=1'])
})

test('a flush ends when its changes are stored, in whatever order', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  for (const name of ['a', 'b']) set(name, '1')
  const settled = behind.flushed()
  let isOver = false
  void Promise.resolve(settled).then(() => {
    isOver = true
  })
  void behind.ahead(['b'])
  ;(await next()).succeed()
  const last = await next()
  expect([last.names, isOver]).toEqual([['a=1'], false])
  last.succeed()
  expect(await settled).toBeTrue()
})

test('a deleted record is not required, and nothing is sent to an unavailable store', async () => {
  const { behind, set, next } = rig()
  behind.changed('gone')
  set('a', '1')
  expect([...behind.ahead(['a', 'gone']).keys()]).toEqual(['a'])
  behind.ready()
  expect((await next()).names).toEqual(['gone=undefined', 'a=1'])
})

test('records that the store refuses are not lost', async () => {
  const { behind, set, next } = rig()
  behind.ready()
  set('a', '1')
  const settled = behind.flushed()
  ;(await next()).fail()
  expect(await settled).toBeFalse()
  expect(behind.pending.has('a')).toBeTrue()
  behind.away()
  behind.ready()
  expect((await next()).names).toEqual(['a=1'])
})

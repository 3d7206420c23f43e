import { expect, test } from 'bun:test'
import { draftOf } from './draft.ts'
import { outline } from './outline.ts'
import type { Stage } from './stage.ts'
import { entryOf } from './watch.ts'

/** Logs that are closed or deleted, and what drivers say of their own speed. */
export function ending(stage: Stage) {
  test('a draft that was in flight when its log closed has an outcome', async () => {
    const { open, events, settle, driver } = await stage()
    const log = await open()
    const draft = draftOf({ id: 'arq_1' })
    log.append(draft)
    const announced = events.length
    log.close()
    await settle()
    expect(events.filter((one) => one.draft === draft)).toHaveLength(1)
    expect(events.slice(announced).filter(({ kind }) => kind === 'appended')).toEqual([])
    expect(driver.usage().messages).toBe(0)
  })

  test('a driver that claims to be immediate has reported the outcome before `append` returns, and no other has', async () => {
    const { open, events, driver, settle } = await stage()
    const log = await open()
    log.append(draftOf({}))
    expect(events.length === 1).toBe(driver.isImmediate)
    await settle()
    expect(events).toHaveLength(1)
  })

  test('a new log of the name of a deleted one starts empty', async () => {
    const { open, append, fill, read } = await stage()
    const old = await open()
    await fill(old, 5)
    old.delete()
    const log = await open()
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 0, last: 0 })
    expect(entryOf(await append(log)).n).toBe(1)
  })
}

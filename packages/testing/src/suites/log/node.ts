import { describe, expect, test } from 'bun:test'
import { type Stage, WINDOW_MS } from './stage.ts'
import { type LogEvent, ROOMY } from './watch.ts'

/**
 * What only a driver keeps that has the messages itself: bounds on bytes and on what is remembered, and logs that end
 * when they are closed.
 */
export function onTheNode(stage: Stage) {
  describe.each([-8 * 86_400_000, -600_000, 600_000, 8 * 86_400_000])('a wall clock that is set by %d ms', (step) => {
    test('a wall clock that is set makes no id forgotten early and keeps none for longer', async () => {
      const { driver, open, append, clock } = await stage()
      const log = await open()
      await append(log, { id: 'arq_same', ack: true })
      clock.step(step)
      driver.sweep()
      clock.advance(WINDOW_MS)
      expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('duplicate')
      clock.advance(1)
      driver.sweep()
      expect(driver.usage().dedupBytes).toBe(0)
      expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('appended')
    })

    test('a wall clock that is set makes no message expire early and keeps none for longer', async () => {
      const { driver, open, fill, read, clock } = await stage()
      const log = await open(undefined, { ttlMs: 1000 })
      await fill(log, 3)
      clock.step(step)
      clock.advance(500)
      await fill(log, 2)
      driver.sweep()
      clock.advance(499)
      expect((await read(log)).entries.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5])
      clock.advance(1)
      expect((await read(log)).entries.map(({ n }) => n)).toEqual([4, 5])
      clock.advance(500)
      driver.sweep()
      expect(log.isEmpty()).toBe(true)
    })
  })

  test('with full memory only messages to be deduplicated are refused, and after the window there is room', async () => {
    const { driver, open, append, clock, events } = await stage({ dedupBytes: 64 * 1024 })
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    let outcome: LogEvent
    do outcome = await append(log, { ack: true })
    while (outcome.kind === 'appended' && events.length < 10_000)
    expect(outcome.kind === 'refused' && outcome.error.code).toBe('rate_limited')
    expect(driver.usage().dedupBytes).toBeLessThanOrEqual(64 * 1024)
    expect((await append(log)).kind).toBe('appended')
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('duplicate')
    clock.advance(WINDOW_MS + 1)
    expect((await append(log, { ack: true })).kind).toBe('appended')
  })

  test('the oldest message of all logs is removed first when they exceed their total bytes', async () => {
    const { open, append, read, clock, driver, expired } = await stage({ maxBytes: 12_000 })
    const logs = [await open('a:a'), await open('a:b'), await open('a:c')]
    const payload = `{"text":"${'x'.repeat(800)}"}`
    const order = [0, 1, 1, 2, 0, 0, 2, 1, 0, 2, 2, 1, 0, 1, 2, 0, 1, 2, 0, 0, 2, 1]
    for (const i of order) {
      clock.advance(1)
      await append(logs[i]!, { payload })
      expect(driver.usage().bytes).toBeLessThanOrEqual(12_000)
    }
    const kept = (await Promise.all(logs.map((log) => read(log)))).flatMap(({ entries }) => entries.map(({ ms }) => ms))
    expect(kept.length).toBeGreaterThan(10)
    expect(kept.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: kept.length }, (_, i) => clock.now() - kept.length + 1 + i),
    )
    expect(expired.bytes).toBe(order.length - kept.length)
  })

  test('a message larger than the total bytes is numbered and announced, and nothing is kept', async () => {
    const { open, append, driver } = await stage({ maxBytes: 500 })
    const log = await open()
    await append(log)
    expect((await append(log, { payload: `{"text":"${'x'.repeat(800)}"}` })).kind).toBe('appended')
    expect([log.isEmpty(), driver.usage().bytes, log.lastDelivered.n]).toEqual([true, 0, 2])
  })

  test('a closed log keeps nothing and accepts nothing more', async () => {
    const { open, append, fill, driver, expired, events } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    await fill(log, 5)
    await append(other)
    log.close()
    expect([log.isEmpty(), driver.usage().messages, expired.deleted]).toEqual([true, 1, 5])
    const late = await append(log, { ack: true })
    expect(late.kind === 'refused' && late.error.code).toBe('channel_not_found')
    expect([log.isEmpty(), driver.usage().messages, events.length]).toEqual([true, 1, 7])
    other.close()
    expect(driver.usage()).toMatchObject({ messages: 0, bytes: 0 })
  })

  test('memory usage returns to nothing', async () => {
    const { open, fill, clock, driver } = await stage()
    for (let i = 0; i < 30; i++)
      await fill(await open(`a:${i}`, { size: 1 + (i % 5) }), 1 + (i % 7), {
        ack: i % 2 === 0,
        payload: '{"text":"Grüße"}',
      })
    expect(driver.usage().bytes).toBeGreaterThan(0)
    clock.advance(ROOMY.ttlMs)
    driver.sweep()
    expect(driver.usage()).toMatchObject({ messages: 0, bytes: 0, dedupBytes: 0 })
  })
}

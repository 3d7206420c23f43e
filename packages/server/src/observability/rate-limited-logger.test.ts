import { expect, test } from 'bun:test'
import { type LogLine, silentLogger } from './logger.ts'
import { boundedLogger } from './rate-limited-logger.ts'

function bounded(perSecond: number) {
  const lines: LogLine[] = []
  const timers: { run: () => void; ms: number }[] = []
  const clock = { ms: 0 }
  const logger = boundedLogger(
    { ...silentLogger, warn: (line) => lines.push(line) },
    { perSecond, now: () => clock.ms, later: (run, ms) => timers.push({ run, ms }) },
  )
  return { logger, lines, timers, clock }
}

test('log lines above the budget of a second are counted and reported when it is over', () => {
  const { logger, lines, timers, clock } = bounded(2)
  for (let i = 0; i < 1000; i++) {
    clock.ms = i / 10
    logger.warn({ event: 'refused', i })
  }
  expect(lines).toEqual([
    { event: 'refused', i: 0 },
    { event: 'refused', i: 1 },
  ])
  expect(timers.map(({ ms }) => ms)).toEqual([999.8])
  timers[0]?.run()
  expect(lines.at(-1)).toEqual({ event: 'refused', suppressed: 998 })
})

test('every event has its own log budget, renewed each second', () => {
  const { logger, lines, timers, clock } = bounded(1)
  logger.warn({ event: 'a' })
  logger.warn({ event: 'b' })
  clock.ms = 1000
  logger.warn({ event: 'a' })
  expect(lines).toHaveLength(3)
  expect(timers).toHaveLength(0)
})

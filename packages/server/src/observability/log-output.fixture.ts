// Logs far more than a pipe holds, and tells on the standard error how it went: run by log-output.test.ts.
import { openLogOutput } from './log-output.ts'
import { openLog } from './logger.ts'

const log = openLog({
  level: 'info',
  format: 'json',
  terminal: false,
  output: openLogOutput({ fd: 1, maxBytes: 256 * 1024 }),
})
const started = performance.now()
for (let i = 0; i < 5000; i++) {
  log.logger.info({ event: 'filling', i, text: 'x'.repeat(200) })
  if (i % 100 === 0) await new Promise(setImmediate)
}
process.stderr.write(`logged ${Math.round(performance.now() - started)}\n`)

// A byte on the standard input says that the reader reads (or has gone) and that the end may come.
await new Promise((resolve) => process.stdin.once('data', resolve))
await log.flush(1000)
log.logger.info({ event: 'last' })
await log.flush(200)
process.stderr.write('flushed\n')
process.exit(0)

import { expect, setDefaultTimeout, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

setDefaultTimeout(120_000)

/** A process that logs 1 MB to a reader that does not read. */
async function flooding() {
  const child = spawn(process.execPath, [join(import.meta.dir, 'log-output.fixture.ts')], { stdio: 'pipe' })
  child.stdout.pause()
  const [summary] = await once(child.stderr, 'data')
  return { child, summary: String(summary) }
}

const exitCode = async (child: Awaited<ReturnType<typeof flooding>>['child']) => (await once(child, 'exit'))[0]

test('a log reader that stops reading blocks nothing and later learns how many lines it missed', async () => {
  const { child, summary } = await flooding()
  expect(summary).toMatch(/^logged \d+\n$/)

  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  child.stdout.resume()
  child.stdin.end('read\n')
  expect(await exitCode(child)).toBe(0)
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const kept = lines.filter(({ event }) => event === 'filling').length
  expect(kept).toBeLessThan(5000)
  const missed = lines.filter(({ event }) => event === 'log_lines_dropped').reduce((sum, line) => sum + line.lines, 0)
  expect(kept + missed).toBe(5000)
  expect(lines.at(-1).event).toBe('last')
})

test('a log reader that never reads does not delay the exit', async () => {
  const { child } = await flooding()
  child.stdin.end('end\n')
  expect(await exitCode(child)).toBe(0)
})

test('a log reader that has gone does not end the process', async () => {
  const { child } = await flooding()
  child.stdout.destroy()
  child.stdin.end('gone\n')
  expect(await exitCode(child)).toBe(0)
})

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createAnnouncer } from './events.ts'

type Events = { a: number; b: string }

test('every handler gets every event until it is removed', () => {
  const heard: unknown[] = []
  const announcer = createAnnouncer<Events>({ a: (event) => heard.push(['first', event]) })
  const off = announcer.on('a', (event) => heard.push(['second', event]))
  announcer.tell('a', 1)
  announcer.tell('b', 'no handler')
  off()
  announcer.tell('a', 2)
  expect(heard).toEqual([
    ['first', 1],
    ['second', 1],
    ['first', 2],
  ])
})

test('a handler that throws stops no other handler and surfaces as an uncaught error', async () => {
  const program = `
    import { createAnnouncer } from ${JSON.stringify(join(import.meta.dir, 'events.ts'))}
    const announcer = createAnnouncer()
    announcer.on('a', () => { throw new Error('a fault of the application') })
    announcer.on('a', () => console.log('heard'))
    announcer.tell('a', 1)`
  const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  expect(out).toBe('heard\n')
  expect(err).toContain('a fault of the application')
  expect(code).toBe(1)
})

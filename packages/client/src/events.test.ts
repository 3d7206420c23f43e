import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createEmitter } from './events.ts'

type Events = { a: number; b: string }

test('every handler gets every event until it is removed', () => {
  const heard: unknown[] = []
  const emitter = createEmitter<Events>({ a: (event) => heard.push(['first', event]) })
  const off = emitter.on('a', (event) => heard.push(['second', event]))
  emitter.emit('a', 1)
  emitter.emit('b', 'no handler')
  off()
  emitter.emit('a', 2)
  expect(heard).toEqual([
    ['first', 1],
    ['second', 1],
    ['first', 2],
  ])
})

test('a handler that throws stops no other handler and surfaces as an uncaught error', async () => {
  const program = `
    import { createEmitter } from ${JSON.stringify(join(import.meta.dir, 'events.ts'))}
    const emitter = createEmitter()
    emitter.on('a', () => { throw new Error('a fault of the application') })
    emitter.on('a', () => console.log('heard'))
    emitter.emit('a', 1)`
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

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromiumFlags } from '@arqonbus/testing'

/** The files that a page can load, by path. */
export type Files = Record<string, { type: string; body: string }>

/** Opens `/` of the files in a real Chromium; resolves to the text that the page posts to `/done`. */
export async function openInChromium(program: string, files: Files): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'arqonbus-chromium-'))
  const done = Promise.withResolvers<string>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/done') {
        done.resolve(await request.text())
        return new Response()
      }
      const file = files[pathname]
      return file === undefined
        ? new Response(null, { status: 404 })
        : new Response(file.body, { headers: { 'content-type': file.type } })
    },
  })
  const child = Bun.spawn([program, '--headless', ...chromiumFlags, `--user-data-dir=${profile}`, server.url.href], {
    stdout: 'ignore',
    stderr: 'ignore',
  })
  try {
    const ended = child.exited.then((code) => Promise.reject(new Error(`Chromium ended with ${code}`)))
    return await Promise.race([done.promise, ended])
  } finally {
    child.kill('SIGKILL')
    await child.exited
    await server.stop(true)
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Bundles the page, in memory. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { BunPlugin } from 'bun'
import type { ConsoleFile } from './file.ts'

const page = join(import.meta.dir, '../page')

const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Bundles and compresses all files of the page; rejects with the errors of the bundler. */
export async function buildFiles(): Promise<readonly ConsoleFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(page, 'app.tsx'), join(page, 'app.css')],
    target: 'browser',
    minify: true,
    jsx: { runtime: 'automatic', importSource: 'preact', development: false },
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [valuesAtBuildTime],
  })
  const bundled = outputs.map(async (output) => {
    const kind = output.path.endsWith('.css') ? 'css' : 'js'
    return file(`/console/app.${kind}`, types[kind], await output.arrayBuffer())
  })
  return Promise.all([
    file('/', types.html, await readFile(join(page, 'index.html'))),
    file('/console/icon.svg', types.svg, await readFile(join(page, 'icon.svg'))),
    ...bundled,
  ])
}

function file(path: string, contentType: string, bytes: ArrayBuffer | Uint8Array): ConsoleFile {
  const body = new Uint8Array(bytes)
  return { path, contentType, body, gzip: Uint8Array.from(gzipSync(body, { level: 9 })) }
}

/**
 * `page/wire.ts` is run here, and its value goes into the bundle: the schemas as JSON, without the libraries that they
 * are written with.
 */
const valuesAtBuildTime: BunPlugin = {
  name: 'values at build time',
  setup(build) {
    build.onLoad({ filter: /[/\\]page[/\\]wire\.ts$/ }, async () => {
      const { wire } = await import('../page/wire.ts')
      return { loader: 'js', contents: `export const wire = ${JSON.stringify(wire)}` }
    })
  },
}

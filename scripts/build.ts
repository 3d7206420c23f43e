/**
 * `npm run build`: writes a single executable, `dist/arqonbus`, that needs neither Node nor Bun. An argument sets
 * another path.
 *
 * Without bytecode: such executables have crashed. A bus is configured by its file, the environment and flags, so the
 * executable reads no `.env` and no `bunfig.toml` of its working directory. It contains the console, bundled and
 * compressed.
 */

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { consoleFiles } from '@arqonbus/console'

const root = join(import.meta.dir, '..')
const outfile = process.argv[2] ?? join(root, 'dist/arqonbus')

/** The checked-out commit, with `-dirty` if files differ from it; undefined outside a repository. */
function commit(): string | undefined {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--verify', '--quiet', 'HEAD')
  if (head.status !== 0) return undefined
  const changed = git('status', '--porcelain', '--untracked-files=no').stdout !== ''
  return head.stdout.trim() + (changed ? '-dirty' : '')
}

/** The console's files, which replace the module without any. Bundled beforehand: a bundler within a bundler hangs. */
const embedded = (await consoleFiles()).map(({ path, contentType, gzip }) => ({
  path,
  contentType,
  gzip: Buffer.from(gzip).toString('base64'),
}))

const consoleInside: Bun.BunPlugin = {
  name: 'console inside',
  setup(build) {
    build.onLoad({ filter: /[/\\]console[/\\]src[/\\]embedded\.ts$/ }, () => ({
      loader: 'js',
      contents: `export const embedded = ${JSON.stringify(embedded)}`,
    }))
  },
}

const built = commit()
await Bun.build({
  entrypoints: [join(root, 'packages/cli/src/main.ts')],
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  sourcemap: 'inline',
  plugins: [consoleInside],
  ...(built !== undefined && { define: { ARQONBUS_COMMIT: JSON.stringify(built) } }),
})
console.log(`compiled ${outfile}`)
// The executable contains the source map; the copy beside it is not needed.
rmSync(`${outfile}.map`, { force: true })

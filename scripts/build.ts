/**
 * `npm run build`: one executable that needs neither Node nor Bun, `dist/arqonbus`. Another path may be given as argument.
 *
 * Without bytecode: such executables have crashed. What configures a bus is the file, the environment and the flags, so the
 * executable reads no `.env` and no `bunfig.toml` of the folder that it is started in.
 */

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dir, '..')
const outfile = process.argv[2] ?? join(root, 'dist/arqonbus')

/** The commit that is checked out, with `-dirty` when files differ from it; undefined outside a repository. */
function commit(): string | undefined {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--verify', '--quiet', 'HEAD')
  if (head.status !== 0) return undefined
  const changed = git('status', '--porcelain', '--untracked-files=no').stdout !== ''
  return head.stdout.trim() + (changed ? '-dirty' : '')
}

const built = commit()
const command = [
  'build',
  '--compile',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--sourcemap=inline',
  ...(built === undefined ? [] : ['--define', `ARQONBUS_COMMIT=${JSON.stringify(built)}`]),
  `--outfile=${outfile}`,
  join(root, 'packages/server/src/main.ts'),
]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 1
// The source map is inside the executable; the copy beside it serves nobody.
rmSync(`${outfile}.map`, { force: true })

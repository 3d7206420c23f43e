/** A bus with one line of its source broken on purpose, which the checks must detect. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../bus-process.ts'

/** The mutation: a piece of one file that occurs exactly once, and its replacement. */
export type Mutation = {
  /** The path of the file from the root of the repository. */
  readonly file: string
  readonly line: string
  readonly becomes: string
}

/** The command of a broken bus. */
export type Mutant = {
  readonly command: readonly string[]
  /** Removes the files of the mutation. */
  remove(): void
}

/**
 * Prepares a broken bus without changing the sources. Throws if the file does not contain the piece: then the mutation
 * has to follow the code.
 */
export function createMutant({ file, line, becomes }: Mutation): Mutant {
  const path = join(root, file)
  const source = readFileSync(path, 'utf8')
  const parts = source.split(line)
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once:\n${line}`)
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-mutant-'))
  const preload = join(folder, 'preload.ts')
  const broken = parts.join(becomes)
  // A file imported as text becomes a module with that text.
  const contents = file.endsWith('.ts') ? broken : `export default ${JSON.stringify(broken)}`
  writeFileSync(
    preload,
    `import { plugin } from 'bun'
const path = ${JSON.stringify(path)}
const contents = ${JSON.stringify(contents)}
plugin({
  name: 'mutant',
  setup(build) {
    build.onLoad({ filter: new RegExp('^' + RegExp.escape(path) + '$') }, () => ({ contents, loader: 'ts' }))
  },
})
`,
  )
  const main = join(root, 'packages/cli/src/main.ts')
  return {
    command: [process.execPath, '--no-env-file', '--preload', preload, main, 'serve'],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

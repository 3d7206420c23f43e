/** Hides the optional programs from a run, as on a machine that lacks them. */

import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { executableNames, findProgram, type ProgramName, programNames, type Skip } from '@arqonbus/testing'

/**
 * A `PATH` with everything in `path` except the optional programs: each of its folders is replaced by a folder of
 * links, created below `folder`. A test that starts a program by its name does not find it either.
 */
export function pathWithoutPrograms(path: string, folder: string): string {
  const hidden = new Set(programNames.flatMap(executableNames))
  const copies = path.split(delimiter).map((original, index) => {
    const copy = join(folder, String(index))
    mkdirSync(copy, { recursive: true })
    for (const name of filesOf(original)) if (!hidden.has(name)) symlinkSync(join(original, name), join(copy, name))
    return copy
  })
  return copies.join(delimiter)
}

/** Reports programs that were not hidden: a program that is found, or for which no suite was skipped. */
export function notHidden(path: string, skips: readonly Skip[]): string[] {
  const visible = (name: ProgramName) =>
    findProgram(name, path) !== undefined || !skips.some(({ program }) => program === name)
  return programNames.filter(visible).map((name) => `${name} was not hidden: no suite was skipped for the lack of it`)
}

/** The files of a folder; a folder of `PATH` need not exist. */
function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

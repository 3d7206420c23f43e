/** Settings from the command line, the environment and the file. */
import { readFileSync } from 'node:fs'
import { type Loaded, loadConfig, mistakesText } from '@arqonbus/server/config'
import { exitCodes } from '@arqonbus/server/main'
import type { Command } from 'commander'
import { flagsOf } from './flags.ts'
import { isOpenToAll } from './open-to-all.ts'

/** The result of loading valid settings. */
export type Settings = Extract<Loaded, { config: unknown }>

/** Reads the settings, or what is wrong with them. */
export const readSettings = (command: Command): Loaded =>
  loadConfig({
    env: process.env,
    ...flagsOf(command),
    readFile: (path) => readFileSync(path, 'utf8'),
    isOpenToAll,
  })

/**
 * The effective settings. If some are invalid: undefined, with all mistakes printed to standard error and the exit code
 * set.
 */
export function loadSettings(command: Command): Settings | undefined {
  const loaded = readSettings(command)
  if (!loaded.mistakes) return loaded
  process.stderr.write(mistakesText(loaded.mistakes))
  process.exitCode = exitCodes.configuration
  return undefined
}

/** Settings from the command line, the environment and the file. */
import { readFileSync } from 'node:fs'
import { type Loaded, loadConfig, mistakesText } from '@arqonbus/server/config'
import { exitCodes } from '@arqonbus/server/main'
import type { Command } from 'commander'
import { flagsOf } from './flags.ts'

/** What loading gives where nothing is wrong. */
export type Settings = Extract<Loaded, { config: unknown }>

/** The settings in force; undefined where some are wrong: then all mistakes are on the standard error, and the exit code is set. */
export function loadSettings(command: Command): Settings | undefined {
  const loaded = loadConfig({ env: process.env, ...flagsOf(command), readFile: (path) => readFileSync(path, 'utf8') })
  if (!loaded.mistakes) return loaded
  process.stderr.write(mistakesText(loaded.mistakes))
  process.exitCode = exitCodes.configuration
  return undefined
}

/** `arqonbus check-config`: prints the settings and the source of each; starts nothing. */
import { configText, warningsOf, warningsText } from '@arqonbus/server/config'
import { thisMachine } from '@arqonbus/server/main'
import { Command } from 'commander'
import { addFlags } from '../flags.ts'
import { loadSettings } from '../settings.ts'

/** Creates the command. */
export const checkConfig = (): Command =>
  addFlags(new Command('check-config').description('Prints the effective settings and the source of each.')).action(
    (_, command) => {
      const loaded = loadSettings(command)
      if (loaded === undefined) return
      process.stdout.write(configText(loaded))
      process.stderr.write(warningsText([...loaded.warnings, ...warningsOf(loaded.config, thisMachine)]))
    },
  )

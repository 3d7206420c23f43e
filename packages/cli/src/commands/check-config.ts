/** `arqonbus check-config`: shows the settings and where each comes from, and starts nothing. */
import { configText } from '@arqonbus/server/config'
import { Command } from 'commander'
import { addFlags } from '../flags.ts'
import { loadSettings } from '../settings.ts'

/** Declares the command. */
export const checkConfig = (): Command =>
  addFlags(new Command('check-config').description('Prints the settings in force and where each comes from.')).action(
    (_, command) => {
      const loaded = loadSettings(command)
      if (loaded !== undefined) process.stdout.write(configText(loaded))
    },
  )

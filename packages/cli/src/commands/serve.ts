/** `arqonbus serve`: runs the server. */
import { consoleFiles } from '@arqonbus/console'
import { runServer } from '@arqonbus/server/main'
import { Command } from 'commander'
import { addFlags } from '../flags.ts'
import { loadSettings, readSettings } from '../settings.ts'

/** Creates the command. */
export const serve = (): Command =>
  addFlags(new Command('serve').description('Runs the bus until a signal stops it.')).action(async (_, command) => {
    const loaded = loadSettings(command)
    if (loaded === undefined) return
    const { config, warnings } = loaded
    await runServer({ config, consoleFiles, warnings, readSettings: () => readSettings(command) })
  })

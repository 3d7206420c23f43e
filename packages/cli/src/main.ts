/** The `arqonbus` command: reads the command line and runs the command that it names. */
import { versionInfo } from '@arqonbus/server/main'
import { Command } from 'commander'
import { checkConfig } from './commands/check-config.ts'
import { serve } from './commands/serve.ts'

const program = new Command('arqonbus')
  .description('A WebSocket message bus: people, AI agents, dashboards and services share the same rooms.')
  .version(versionInfo.version)
for (const command of [serve, checkConfig]) program.addCommand(command())
await program.parseAsync()

/** The flags of the command line, from the table of settings. */
import { anyOption, configFile, defaultText, type Flags, groups, namesOf, optionKeys } from '@arqonbus/server/config'
import { type Command, Option } from 'commander'

/**
 * Adds a flag for every setting to a command. Unknown flags are left for `flagsOf`, so that all mistakes are reported
 * together.
 */
export function addFlags(command: Command): Command {
  command.allowUnknownOption().allowExcessArguments()
  command.addOption(
    new Option(`--${configFile.flag} [file]`, `${configFile.text} (${configFile.variable})`).helpGroup(`${groups[0]}:`),
  )
  for (const key of optionKeys) {
    const { kind, group, text } = anyOption(key)
    const { flag, variable } = namesOf(key)
    // Optional for commander only: a flag without a value is reported together with all other mistakes.
    const option = new Option(`--${flag} [${kind.name}]`, `${text} (${defaultText(key)}; ${variable})`)
    command.addOption(option.helpGroup(`${group}:`))
  }
  return command.configureHelp({ optionTerm: ({ flags }) => withAngles(flags) })
}

/** `--port [port]` as `--port <port>`. */
function withAngles(flags: string): string {
  const bracket = flags.indexOf('[')
  return bracket < 0 ? flags : `${flags.slice(0, bracket)}<${flags.slice(bracket + 1, -1)}>`
}

/** The given flags, known or not, and arguments that are no flags. */
export function flagsOf(command: Command): { flags: Flags; stray: string[] } {
  const flags: Record<string, string | true> = Object.create(null)
  const stray: string[] = []
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName())
    if (value !== undefined) flags[option.long?.slice(2) ?? ''] = value === true ? true : String(value)
  }
  let afterUnknown = false
  for (const arg of command.args) {
    const [, name, value] = /^(-[^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    // A word after an unknown flag is most likely its value.
    if (name !== undefined) flags[name] = value ?? true
    else if (!afterUnknown) stray.push(arg)
    afterUnknown = name !== undefined && value === undefined
  }
  return { flags, stray }
}

/** The flags of the command line, from the table of settings. */
import { anyOption, configFile, defaultText, type Flags, groups, namesOf, optionKeys } from '@arqonbus/server/config'
import { type Command, Option } from 'commander'

/** Gives a command a flag for every setting. What it does not know, it leaves for `flagsOf`, so that all mistakes come at once. */
export function addFlags(command: Command): Command {
  command.allowUnknownOption().allowExcessArguments()
  command.addOption(
    new Option(`--${configFile.flag} [file]`, `${configFile.text} (${configFile.variable})`).helpGroup(`${groups[0]}:`),
  )
  for (const key of optionKeys) {
    const { kind, group, text } = anyOption(key)
    const { flag, variable } = namesOf(key)
    // The value is optional for commander alone: a flag without one is reported with all other mistakes.
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

/** The flags that were given, known or not, and words that are no flags. */
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
    // A word behind an unknown flag is its value, most likely.
    if (name !== undefined) flags[name] = value ?? true
    else if (!afterUnknown) stray.push(arg)
    afterUnknown = name !== undefined && value === undefined
  }
  return { flags, stray }
}

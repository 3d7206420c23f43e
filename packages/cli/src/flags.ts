/** The flags of the command line, from the table of settings. */
import {
  anyOption,
  configFile,
  defaultText,
  type Flags,
  groups,
  namesOf,
  type OptionKey,
  optionKeys,
  secretFileNamesOf,
} from '@arqonbus/server/config'
import { type Command, type Help, Option } from 'commander'

/**
 * Adds a flag for every setting to a command. Unknown flags are left for `flagsOf`, so that all mistakes are reported
 * together.
 */
export function addFlags(command: Command): Command {
  command.allowUnknownOption().allowExcessArguments()
  command.addOption(
    new Option(`--${configFile.flag} [file]`, `${configFile.text} (${configFile.variable})`).helpGroup(`${groups[0]}:`),
  )
  for (const key of optionKeys) for (const option of optionsOf(key)) command.addOption(option)
  return command.configureHelp({ optionTerm: ({ flags }) => withAngles(flags), formatItem })
}

/** The flag of a setting, and for a secret that of the file which has it. */
function optionsOf(key: OptionKey): Option[] {
  const { kind, group, text, secret } = anyOption(key)
  const { variable, flag } = namesOf(key)
  const isLong = kind.name.length > LONGEST_VALUE
  // A long choice is listed in the text.
  const [value, accepts] = isLong
    ? ['word', ` ${kind.accepts[0]?.toUpperCase()}${kind.accepts.slice(1)}.`]
    : [kind.name, '']
  // Optional for commander only: a flag without a value is reported together with all other mistakes.
  const own = new Option(`--${flag} [${value}]`, `${text}${accepts} (${defaultText(key)}; ${variable})`)
  const all = [own.helpGroup(`${group}:`)]
  if (!secret) return all
  const file = secretFileNamesOf(key)
  const ofFile = new Option(`--${file.flag} [file]`, `A file that has it. (${file.variable})`)
  return [...all, ofFile.helpGroup(`${group}:`)]
}

const LONGEST_VALUE = 32
const TEXT_INDENT = 6
const WIDEST_HELP = 100

/** A flag on a line of its own, and below it what it does: names are too long for a column of their own. */
function formatItem(term: string, _termWidth: number, description: string, helper: Help): string {
  const indent = ' '.repeat(TEXT_INDENT)
  const width = Math.min(helper.helpWidth ?? 80, WIDEST_HELP) - TEXT_INDENT
  const lines = helper.boxWrap(description, width).split('\n')
  return [`  ${term}`, ...lines.map((line) => indent + line)].join('\n')
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

/** Settings as text for people: the list of mistakes, and what is in force. */
import { stringify } from 'smol-toml'
import { printable } from './kind.ts'
import type { Loaded, Origin } from './load.ts'
import { namesOf } from './option.ts'
import { anyOption, type Config, type OptionKey, optionKeys } from './options.ts'
import type { Mistake } from './sources.ts'
import type { StartWarning } from './start-warnings.ts'

/** All mistakes, one a line. */
export function mistakesText(mistakes: readonly Mistake[]): string {
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`
  const lines = mistakes.map((mistake) => `  ${mistakeText(mistake)}`)
  return [`The settings have ${count}:`, ...lines, '`arqonbus serve --help` lists every setting.', ''].join('\n')
}

/** One mistake, without the end of a line. */
export const mistakeText = ({ option, source, message }: Mistake): string =>
  `${printable(option)} (${source}): ${message}`

/** What deserves attention though it is no mistake, one a line. */
export const warningsText = (warnings: readonly StartWarning[]): string =>
  warnings.map(({ event, setting, advice }) => `${event}: ${printable(setting)}: ${advice}\n`).join('')

/** What is in force, as a TOML file that would bring it about (secrets apart), with the source of each value. */
export function configText({ config, origins, file }: Extract<Loaded, { config: Config }>): string {
  const lines = optionKeys.filter((key) => key !== 'rooms').map((key) => line(key, config[key], origins[key]))
  const width = Math.max(...lines.map(({ setting }) => setting.length))
  return [
    file === undefined ? '# There is no file with settings.' : `# The file is ${printable(file)}.`,
    ...lines.map(({ setting, from }) => `${setting.padEnd(width)}  # ${from}`),
    `${roomsText(config)}  # ${sourceText(origins.rooms)}`,
    '',
  ].join('\n')
}

function line(key: OptionKey, value: unknown, origin: Origin): { setting: string; from: string } {
  const { fileKey } = namesOf(key)
  if (value === undefined) return { setting: `# ${fileKey} is not set`, from: sourceText(origin) }
  return { setting: `${fileKey} = ${fileText(key, value)}`, from: sourceText(origin) }
}

function fileText(key: OptionKey, value: unknown): string {
  const { kind, secret } = anyOption(key)
  const isEmpty = Array.isArray(value) && value.length === 0
  if (secret && !isEmpty) return '"***"'
  if (typeof value === 'number' && kind.text(value) === String(value)) return String(value)
  if (typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return JSON.stringify(value)
  return JSON.stringify(kind.text(value))
}

/** Rooms with nothing but names fit one line; all else is a table, which TOML wants at the end. */
function roomsText({ rooms }: Config): string {
  const plain = rooms.every(({ config, channels }) => !config && channels.every((one) => Object.keys(one).length === 1))
  if (!plain) return stringify({ rooms }).trimEnd()
  const addresses = rooms.flatMap((room) => anyOption('rooms').kind.text([room]).split(','))
  return `rooms = ${JSON.stringify(addresses)}`
}

const sourceText = ({ source, name }: Origin): string =>
  name === undefined || source === 'file' ? source : `${source}: ${name}`

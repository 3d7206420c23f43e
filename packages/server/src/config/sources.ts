/**
 * Where settings come from: the file, the environment, flags. Each gives raw values by key, and the mistakes in its
 * names.
 */
import { parse as parseToml, TomlError } from 'smol-toml'
import { parseJson } from './json-file.ts'
import { successorOf } from './older-settings.ts'
import { configFile, namesOf, secretFileNamesOf, VARIABLE_PREFIX } from './option.ts'
import { anyOption, type OptionKey, optionKeys } from './options.ts'
import { nearest } from './suggest.ts'

/** A place that settings come from, weakest first. */
export type SourceName = 'file' | 'environment' | 'flag'

/** One thing that is wrong: what the person wrote, where, and what would be right. */
export type Mistake = {
  /** As it was written: `ARQONBUS_PORT`, `--port`, `port`. */
  readonly option: string
  readonly source: SourceName | 'default'
  readonly message: string
}

/** A raw value, and the name that it was written under. With `inFile`, it is the path of a file that has the value. */
export type RawValue = { readonly raw: unknown; readonly name: string; readonly inFile: boolean }

/** What one place gives: raw values and mistakes. */
export type Given = { values: Map<OptionKey, RawValue>; mistakes: Mistake[] }

/** Flags by name, `true` where a flag had no value. Known ones have no dashes. */
export type Flags = Readonly<Record<string, string | true | undefined>>

/** The environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a name means: a setting, or the file that has it. */
type Named = { readonly key: OptionKey; readonly inFile: boolean }

/** All names of one kind, of settings and of the files that have secrets. */
function namesBy(kind: 'flag' | 'variable' | 'fileKey'): ReadonlyMap<string, Named> {
  return new Map(
    optionKeys.flatMap((key): [string, Named][] => {
      const own: [string, Named] = [namesOf(key)[kind], { key, inFile: false }]
      return anyOption(key).secret ? [own, [secretFileNamesOf(key)[kind], { key, inFile: true }]] : [own]
    }),
  )
}

const byFlag = namesBy('flag')
const byVariable = namesBy('variable')
const byFileKey = namesBy('fileKey')
const flagNames = [...byFlag.keys(), configFile.flag].map((flag) => `--${flag}`)
const variableNames = [...byVariable.keys(), configFile.variable]

/** Takes a value; a secret that is there already, as itself or as a file, is given twice. */
function put({ values, mistakes }: Given, source: SourceName, { key, inFile }: Named, raw: unknown, name: string) {
  const other = values.get(key)
  if (other === undefined) values.set(key, { raw, name, inFile })
  else mistakes.push({ option: name, source, message: `must not be set beside ${other.name}: leave out one of them` })
}

/** Settings from flags, and the words between them that are not flags. */
export function fromFlags(flags: Flags, stray: readonly string[]): Given {
  const given: Given = { values: new Map(), mistakes: [] }
  for (const word of stray)
    given.mistakes.push({ option: word, source: 'flag', message: 'there is no such argument: flags begin with --' })
  for (const [flag, raw] of Object.entries(flags)) {
    if (raw === undefined || flag === configFile.flag) continue
    const named = byFlag.get(flag)
    const name = flag.startsWith('-') ? flag : `--${flag}`
    if (named !== undefined) put(given, 'flag', named, raw, name)
    else given.mistakes.push(unknown(name, 'flag', 'there is no such flag', flagNames))
  }
  return given
}

/**
 * Settings from variables. An empty variable is one that is not set: compose files and the like write
 * `ARQONBUS_ADMIN_KEY=${ADMIN_KEY:-}`, and that must not mean an empty key.
 */
export function fromEnvironment(environment: Environment): Given {
  const given: Given = { values: new Map(), mistakes: [] }
  for (const [name, raw] of Object.entries(environment)) {
    const isOurs = name.startsWith(VARIABLE_PREFIX) || byVariable.has(name)
    if (!isOurs || raw === undefined || raw === '') continue
    if (name === configFile.variable || isServiceLink(name, raw)) continue
    const named = byVariable.get(name)
    if (named !== undefined) put(given, 'environment', named, raw, name)
    else given.mistakes.push(unknown(name, 'environment', 'there is no such setting', variableNames))
  }
  return given
}

/**
 * Kubernetes sets variables about every service in every pod. A service named `arqonbus` makes
 * `ARQONBUS_PORT=tcp://10.0.0.7:9100` and `ARQONBUS_SERVICE_HOST` of them, which are not meant as settings.
 */
const isServiceLink = (name: string, raw: string): boolean =>
  /_SERVICE_(?:HOST|PORT)(?:_[A-Z0-9_]+)?$/.test(name) ||
  /_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(raw))

/** Settings from a file, whose text `readFile` gives (or throws). */
export function fromFile(path: string, namedBy: string, source: SourceName, readFile: (path: string) => string): Given {
  const given: Given = { values: new Map(), mistakes: [] }
  const table = parseFile(path, readFile)
  if (typeof table === 'string') {
    given.mistakes.push({ option: namedBy, source, message: table })
    return given
  }
  for (const [name, raw] of Object.entries(table)) {
    const named = byFileKey.get(name)
    if (named !== undefined) put(given, 'file', named, raw, name)
    else given.mistakes.push(unknown(name, 'file', 'there is no such setting', byFileKey.keys()))
  }
  return given
}

/** The file's table, or what is wrong with the file. Never a line of it: it may hold secrets. */
function parseFile(path: string, readFile: (path: string) => string): Record<string, unknown> | string {
  const parse = path.endsWith('.json') ? parseJson : path.endsWith('.toml') ? parseToml : undefined
  if (parse === undefined) return `must name a file that ends in .json or .toml, but is ${JSON.stringify(path)}`
  let text: string
  try {
    text = readFile(path).replace(/^\ufeff/, '')
  } catch (error) {
    return unreadable(path, error)
  }
  try {
    const table: unknown = parse(text)
    const isTable = typeof table === 'object' && table !== null && !Array.isArray(table)
    return isTable ? (table as Record<string, unknown>) : `${path} must hold one JSON object`
  } catch (error) {
    if (error instanceof RangeError) return `${path} has ${error.message}`
    if (!(error instanceof TomlError)) return `${path} is not JSON: ${withoutContent(error)}`
    return `${path} is not TOML: line ${error.line}, column ${error.column}: ${withoutContent(error)}`
  }
}

const fileFaults: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
}

/** Says that a file cannot be read, and why. */
export function unreadable(path: string, error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return `cannot read ${path}: ${fileFaults[code ?? ''] ?? code ?? 'it cannot be read'}`
}

/** A parser's message without the piece of the file that some quote. */
function withoutContent(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
  return withoutQuoted(line.replace(/^(?:Invalid TOML document|JSON Parse error): /, ''))
}

/** What is between the first quote and the last one of its kind is left out, as is what follows likewise. */
function withoutQuoted(text: string): string {
  const start = text.search(/["']/)
  if (start < 0) return text
  const end = text.lastIndexOf(text[start]!)
  const rest = withoutQuoted(text.slice(end + 1))
  return end === start ? text.slice(0, end + 1) + rest : `${text.slice(0, start)}…${rest}`
}

/** For a setting of the Python ArqonBus: what it is called here, in the spelling of the source. */
function olderText(option: string, source: SourceName): string | undefined {
  const fileKey = option.replace(/^--/, '').replace(VARIABLE_PREFIX, '').replaceAll('-', '_').toLowerCase()
  const successor = successorOf(fileKey)
  if (successor === undefined) return undefined
  const { key, note } = successor
  const names = key && namesOf(key)
  const now = names && { file: names.fileKey, environment: names.variable, flag: `--${names.flag}` }[source]
  return [now && `here it is ${now}`, note].filter((part) => part !== undefined).join(': ')
}

function unknown(option: string, source: SourceName, what: string, names: Iterable<string>): Mistake {
  const older = olderText(option, source)
  if (older !== undefined) return { option, source, message: `${what}; ${older}` }
  const meant = nearest(option, names)
  return { option, source, message: meant === undefined ? what : `${what}; did you mean ${meant}?` }
}

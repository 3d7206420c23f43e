/**
 * From raw values to what is in force: all sources are read, all mistakes are found, and nothing is touched but what is
 * passed in.
 */
import { shown } from './kind.ts'
import { configFile, type DefaultInputs, isStandard } from './option.ts'
import { anyOption, type Config, type OptionKey, optionKeys } from './options.ts'
import { rules } from './rules.ts'
import {
  type Environment,
  type Flags,
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
  type Mistake,
  type RawValue,
  type SourceName,
  unreadable,
} from './sources.ts'
import type { StartWarning } from './start-warnings.ts'

/** What settings are read from. */
export type ConfigInput = {
  env: Environment
  flags: Flags
  /** Words among the flags that are not flags. */
  stray?: readonly string[]
  /** The text of a file; throws where it cannot be read. */
  readFile: (path: string) => string
  /** True for a file that every user of the machine can read. */
  isOpenToAll?: (path: string) => boolean
}

/** Where a value came from, and the name that it was written under there. */
export type Origin = { readonly source: SourceName | 'default'; readonly name?: string }

/** What is in force and where each value came from, or everything that is wrong. */
export type Loaded =
  | {
      readonly config: Config
      readonly origins: Readonly<Record<OptionKey, Origin>>
      readonly file?: string
      /** What was ignored, or should be done otherwise. */
      readonly warnings: readonly StartWarning[]
      readonly mistakes?: never
    }
  | { readonly mistakes: readonly Mistake[]; readonly config?: never }

/** Reads the settings: the file, over it the environment, over both the flags. */
export function loadConfig(input: ConfigInput): Loaded {
  const { env, flags, stray = [], readFile } = input
  const file = fileOf(env, flags)
  const found = readAll(input, [
    ...(file ? [['file', fromFile(file.path, file.name, file.source, readFile)] as const] : []),
    ['environment', fromEnvironment(env)],
    ['flag', fromFlags(flags, stray)],
  ])
  const { origins, mistakes, warnings } = found
  if (flags[configFile.flag] === true) {
    mistakes.push({
      option: `--${configFile.flag}`,
      source: 'flag',
      message: 'must name a file that ends in .json or .toml',
    })
  }
  const config = ruled(found)
  if (mistakes.length > 0) return { mistakes }
  for (const key of optionKeys) origins[key] ??= { source: 'default' }
  return { config, origins, warnings, ...(file && { file: file.path }) }
}

/** What was read: values, where they are from, and what is wrong or worth a warning. */
type Found = ReturnType<typeof nothingFound>

const nothingFound = () => ({
  values: new Map<OptionKey, unknown>(),
  origins: {} as Record<OptionKey, Origin>,
  wrong: new Set<OptionKey>(),
  mistakes: [] as Mistake[],
  warnings: [] as StartWarning[],
})

/** Reads every raw value, weakest source first; a mistake in one is reported even if a stronger source is right. */
function readAll(input: ConfigInput, sources: readonly (readonly [SourceName, Given])[]): Found {
  const found = nothingFound()
  for (const [source, given] of sources) {
    found.mistakes.push(...given.mistakes)
    for (const [key, written] of given.values) {
      const { name } = written
      const reading = readOne(input, key, written, found)
      if ('value' in reading) {
        found.values.set(key, reading.value)
        found.origins[key] = { source, name }
        continue
      }
      if (isIgnored(key, source)) {
        for (const message of reading.faults) found.warnings.push(ignored(name, message))
        continue
      }
      found.wrong.add(key)
      for (const message of reading.faults) found.mistakes.push({ option: name, source, message })
    }
  }
  return found
}

/** A value, or what is wrong with it. */
type OneReading = { readonly value: unknown } | { readonly value?: never; readonly faults: readonly string[] }

/** Reads one value, by way of a file where that has it. */
function readOne(input: ConfigInput, key: OptionKey, written: RawValue, found: Found): OneReading {
  if (written.inFile) return readFromFile(input, key, written, found)
  const { kind, secret } = anyOption(key)
  const reading = kind.read(written.raw)
  if (!('value' in reading))
    return { faults: reading.faults ?? [`must be ${kind.accepts}, but ${secret ? 'is not' : was(written.raw)}`] }
  if (kind.file === undefined) return { value: reading.value }
  const path = String(reading.value)
  const { fault } = textOf(input, path)
  if (fault !== undefined) return { faults: [fault] }
  if (kind.file === 'private') warnIfOpen(input, path, written, found)
  return { value: reading.value }
}

function readFromFile(input: ConfigInput, key: OptionKey, written: RawValue, found: Found): OneReading {
  const path = written.raw
  if (typeof path !== 'string') return { faults: ['must be the path of a file'] }
  const { text = '', fault } = textOf(input, path)
  if (fault !== undefined) return { faults: [fault] }
  const value = text.replace(/^\ufeff/, '').replace(/(?<![\r\n])[\r\n]+$/, '')
  if (value === '') return { faults: [`${path} is empty`] }
  const { kind } = anyOption(key)
  const reading = kind.read(value)
  if (!('value' in reading))
    return { faults: reading.faults ?? [`the text of ${path} must be ${kind.accepts}, but is not`] }
  warnIfOpen(input, path, written, found)
  return { value: reading.value }
}

function warnIfOpen({ isOpenToAll }: ConfigInput, path: string, { name }: RawValue, { warnings }: Found): void {
  if (!isOpenToAll?.(path)) return
  const advice = `every user of this machine can read ${path}: chmod o-r`
  warnings.push({ event: 'secret_file_open', setting: name, advice })
}

function textOf({ readFile }: ConfigInput, path: string): { text?: string; fault?: string } {
  try {
    return { text: readFile(path) }
  } catch (error) {
    return { fault: unreadable(path, error) }
  }
}

/**
 * True for a value that is ignored where it is wrong, with a warning, as the specification of OpenTelemetry has it for
 * its variables: they are often set for every program of a machine. As a flag or in the file they are meant for this
 * one.
 */
const isIgnored = (key: OptionKey, source: Origin['source']): boolean => source === 'environment' && isStandard(key)

const ignored = (setting: string, message: string): StartWarning => ({
  event: 'setting_ignored',
  setting,
  advice: `${message}; ignored`,
})

/** The values and defaults, after every rule between them was checked. */
function ruled({ values, origins, wrong, mistakes, warnings }: Found): Config {
  let config = withDefaults(values)
  for (const rule of rules) {
    if (rule.keys.some((key) => wrong.has(key))) continue
    for (;;) {
      const message = rule.broken(config)
      if (message === undefined) break
      const key = blamed(rule.keys, origins)
      const { source = 'default', name = key } = origins[key] ?? {}
      if (!isIgnored(key, source)) {
        mistakes.push({ option: name, source, message })
        break
      }
      // Without it, the rule may blame the next of its settings.
      warnings.push(ignored(name, message))
      values.delete(key)
      delete (origins as Partial<typeof origins>)[key]
      config = withDefaults(values)
    }
  }
  return config
}

/** Fills in the defaults. Those that depend on others come last. */
export function withDefaults(values: ReadonlyMap<OptionKey, unknown>): Config {
  const config: Record<string, unknown> = {}
  const dependent: OptionKey[] = []
  for (const key of optionKeys) {
    const fallback = anyOption(key).default
    if (values.has(key)) config[key] = values.get(key)
    else if (typeof fallback === 'function') dependent.push(key)
    else config[key] = fallback
  }
  for (const key of dependent)
    config[key] = (anyOption(key).default as (given: DefaultInputs) => unknown)(config as DefaultInputs)
  if (config.rateLimit === null) Object.assign(config, withoutRates(config as Config))
  return Object.freeze(config) as Config
}

/** `RATE_LIMIT=off` is for every rate and every limit of one address: it may have as much as all together. */
const withoutRates = (config: Config): Partial<Config> => ({
  commandRate: null,
  presenceRate: null,
  apiRate: null,
  httpRate: null,
  connectionRate: null,
  authFailureRate: null,
  maxPendingConnectionsPerAddress: config.maxPendingConnections,
  maxConnectionsPerAddress: config.maxConnections,
  telemetryMaxConnectionsPerAddress: config.telemetryMaxConnections,
  apiRequestsPerAddress: config.apiRequests,
  httpBodyBytesPerAddress: config.httpBodyBytes,
  apiStreamsPerAddress: config.apiStreams,
})

/** Where the file is, and what named it. */
function fileOf(env: Environment, flags: Flags): { path: string; name: string; source: SourceName } | undefined {
  const flag = flags[configFile.flag]
  if (typeof flag === 'string') return { path: flag, name: `--${configFile.flag}`, source: 'flag' }
  const variable = env[configFile.variable]
  return variable ? { path: variable, name: configFile.variable, source: 'environment' } : undefined
}

const was = (raw: unknown): string => (raw === true ? 'has no value' : `is ${shown(raw)}`)

/** A broken rule is the mistake of the first of its settings that was written. */
const blamed = (keys: readonly OptionKey[], origins: Record<OptionKey, Origin>): OptionKey =>
  keys.find((one) => origins[one] !== undefined) ?? keys[0]!

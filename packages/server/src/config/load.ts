/**
 * From raw values to what is in force: all sources are read, all mistakes are found, and nothing is touched but what is
 * passed in.
 */
import { shown } from './kind.ts'
import { configFile, type DefaultInputs } from './option.ts'
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
  type SourceName,
} from './sources.ts'

/**
 * What settings are read from: `stray` are words among the flags that are none; `readFile` gives a file's text or
 * throws.
 */
export type ConfigInput = {
  env: Environment
  flags: Flags
  stray?: readonly string[]
  readFile: (path: string) => string
}

/** Where a value came from, and the name that it was written under there. */
export type Origin = { readonly source: SourceName | 'default'; readonly name?: string }

/** What is in force and where each value came from, or everything that is wrong. */
export type Loaded =
  | {
      readonly config: Config
      readonly origins: Readonly<Record<OptionKey, Origin>>
      readonly file?: string
      readonly mistakes?: never
    }
  | { readonly mistakes: readonly Mistake[]; readonly config?: never }

/** Reads the settings: the file, over it the environment, over both the flags. */
export function loadConfig({ env, flags, stray = [], readFile }: ConfigInput): Loaded {
  const file = fileOf(env, flags)
  const { values, origins, wrong, mistakes } = readAll([
    ...(file ? [['file', fromFile(file.path, file.name, file.source, readFile)] as const] : []),
    ['environment', fromEnvironment(env)],
    ['flag', fromFlags(flags, stray)],
  ])
  if (flags[configFile.flag] === true) {
    mistakes.push({
      option: `--${configFile.flag}`,
      source: 'flag',
      message: 'must name a file that ends in .json or .toml',
    })
  }
  const config = withDefaults(values)
  for (const rule of rules) {
    if (rule.keys.some((key) => wrong.has(key))) continue
    const message = rule.broken(config)
    if (message !== undefined) mistakes.push(blame(rule.keys, message, origins))
  }
  if (mistakes.length > 0) return { mistakes }
  for (const key of optionKeys) origins[key] ??= { source: 'default' }
  return { config, origins, ...(file && { file: file.path }) }
}

/** Reads every raw value, weakest source first; a mistake in one is reported even if a stronger source is right. */
function readAll(sources: readonly (readonly [SourceName, Given])[]) {
  const values = new Map<OptionKey, unknown>()
  const origins = {} as Record<OptionKey, Origin>
  const wrong = new Set<OptionKey>()
  const mistakes: Mistake[] = []
  for (const [source, given] of sources) {
    mistakes.push(...given.mistakes)
    for (const [key, { raw, name }] of given.values) {
      const { kind, secret } = anyOption(key)
      const reading = kind.read(raw)
      if ('value' in reading) {
        values.set(key, reading.value)
        origins[key] = { source, name }
        continue
      }
      wrong.add(key)
      const messages = reading.faults ?? [`must be ${kind.accepts}, but ${secret ? 'is not' : was(raw)}`]
      for (const message of messages) mistakes.push({ option: name, source, message })
    }
  }
  return { values, origins, wrong, mistakes }
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
  apiRate: null,
  httpRate: null,
  connectionRate: null,
  maxConnectionsPerAddress: config.maxConnections,
  telemetryMaxConnectionsPerAddress: config.telemetryMaxConnections,
  apiRequestsPerAddress: config.apiRequests,
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
function blame(keys: readonly OptionKey[], message: string, origins: Record<OptionKey, Origin>): Mistake {
  const key = keys.find((one) => origins[one] !== undefined) ?? keys[0]!
  const { source = 'default', name = key } = origins[key] ?? {}
  return { option: name, source, message }
}

/** What a setting is, and the names that follow from its key. */
import type { Kind } from './kind.ts'

/** What a default may depend on: values that are in force already. */
export type DefaultInputs = {
  readonly redisUrl: string | undefined
  readonly maxMessageBytes: number
  readonly apiBatchBytes: number
}

/** The headings of help and reference, in their order. */
export const groups = [
  'Connections',
  'TLS',
  'Limits',
  'Rooms and history',
  'Liveness and shutdown',
  'Access',
  'Storage',
  'Webhooks',
  'Logs',
  'Traces',
] as const

/** What a setting declares beside its kind. */
type Declared<T> = {
  /** One or two sentences: what it does. */
  readonly text: string
  readonly default: T | ((given: DefaultInputs) => T)
  /** The default in words, where it is not always the same. */
  readonly defaultText?: string
  /** True where the value must not be shown. Such a setting can also be given as a file: `secretFileNamesOf`. */
  readonly secret?: true
}

/** One setting. */
export type Option<T> = Declared<T> & { readonly kind: Kind<T> }

/** Declares a setting; the type of its value is that of its kind. */
export function option<T>(kind: Kind<T>, declared: Declared<NoInfer<T>>): Option<T> {
  return { kind, ...declared }
}

/** Declares a setting that may be left out. */
export function optional<T>(inner: Kind<T>, declared: Omit<Declared<T>, 'default'>): Option<T | undefined> {
  const text = (value: T | undefined) => (value === undefined ? '' : inner.text(value))
  return { kind: { ...inner, text }, default: undefined, ...declared }
}

/** The heading that a setting is under. */
export type Grouped = { readonly group: (typeof groups)[number] }

/** Puts settings under a heading. */
export const inGroup = <Rows extends Readonly<Record<string, object>>>(group: Grouped['group'], rows: Rows) =>
  Object.fromEntries(Object.entries(rows).map(([key, row]) => [key, { ...row, group }])) as {
    readonly [Key in keyof Rows]: Rows[Key] & Grouped
  }

/** A value for each setting of a table. */
export type Values<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer Value> ? Value : never
}

/** The names of one setting: `maxMessageBytes` is `MAX_MESSAGE_BYTES`, `--max-message-bytes`, `max_message_bytes`. */
type OptionNames = { readonly variable: string; readonly flag: string; readonly fileKey: string }

/**
 * The names that follow from a key. A unit at its end (`Ms`) is for the code alone: the value itself names it. Keys
 * that begin with `otel` are standard variables of OpenTelemetry, which have no prefix of ours.
 */
export function namesOf(key: string): OptionNames {
  const words = key
    .replace(/Ms$/, '')
    .split(/(?=[A-Z])/)
    .map((word) => word.toLowerCase())
  const fileKey = words.join('_')
  const prefix = words[0] === 'otel' ? '' : VARIABLE_PREFIX
  return { variable: `${prefix}${fileKey.toUpperCase()}`, flag: words.join('-'), fileKey }
}

/** The names under which a setting is given that is a secret, as the path of a file with it. */
export function secretFileNamesOf(key: string): OptionNames {
  const { variable, flag, fileKey } = namesOf(key)
  return { variable: `${variable}_FILE`, flag: `${flag}-file`, fileKey: `${fileKey}_file` }
}

/** True for a variable of OpenTelemetry, whose specification says what becomes of a value that is not supported. */
export const isStandard = (key: string): boolean => !namesOf(key).variable.startsWith(VARIABLE_PREFIX)

/** What the names of our variables begin with. */
export const VARIABLE_PREFIX = 'ARQONBUS_'

/** The file with settings has no place in itself: it is named by this flag or variable. */
export const configFile = {
  variable: `${VARIABLE_PREFIX}CONFIG`,
  flag: 'config',
  text: 'A JSON or TOML file with settings, by its ending. Variables win over it, flags over both.',
} as const

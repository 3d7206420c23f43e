/** The table of settings as text: what help and `docs/reference/config.md` say of each. */
import { groups, namesOf, secretFileNamesOf } from './option.ts'
import { anyOption, type OptionKey, optionKeys } from './options.ts'

/** The default of a setting in words. */
export function defaultText(key: OptionKey): string {
  const { default: value, defaultText: words, kind } = anyOption(key)
  if (words !== undefined) return `default ${words}`
  return value === undefined ? 'not set by default' : `default ${kind.text(value)}`
}

/** One row of the reference. */
export type ReferenceRow = ReturnType<typeof row>

/** The table by its headings. */
export function reference(): { group: string; rows: ReferenceRow[] }[] {
  return groups.map((group) => ({
    group,
    rows: optionKeys.filter((key) => anyOption(key).group === group).map(row),
  }))
}

function row(key: OptionKey) {
  const { kind, text, secret } = anyOption(key)
  const { variable, flag, fileKey } = namesOf(key)
  return {
    variable,
    /** The variable that names a file with the value; for secrets only. */
    fileVariable: secret && secretFileNamesOf(key).variable,
    flag: `--${flag}`,
    fileKey,
    accepts: kind.accepts,
    default: defaultText(key).replace(/^default /, ''),
    text,
  }
}

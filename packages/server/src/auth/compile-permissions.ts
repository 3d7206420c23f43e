/**
 * Grants as they are written in a token, by a callout or in the configuration, compiled to be asked
 * (docs/protocol.md#permissions): `{ "science:*": ["join", "publish"], "@support-*": ["private"] }`.
 */
import { type Fault, isClientId, isName, pointer, WHOLE_ROOM } from '@arqonbus/protocol'
import { type AddressPattern, type Grant, GrantTable } from './grant-tables.ts'
import type { NamePattern } from './name-patterns.ts'
import { type GrantAction, grantActions, type Permissions } from './permissions.ts'

/** Grants of one origin, not checked yet. Without `permissions` it grants nothing, without `deny` it denies nothing. */
export type GrantSource = {
  /** Where it is, as a JSON Pointer: the beginning of the paths of its faults. */
  readonly path?: string
  readonly permissions?: unknown
  readonly deny?: unknown
}

/** The values of `{client_id}` and `{sub}` in patterns of the configuration. One without a value matches nothing. */
export type TemplateValues = { readonly client_id?: string | undefined; readonly sub?: string | undefined }

/** The permissions, or what is wrong with the grants. */
export type Compiled = { readonly permissions: Permissions } | { readonly faults: readonly [Fault, ...Fault[]] }

/** Patterns that `permissions`, and `deny`, of one source may have. */
export const MOST_PATTERNS = 1000

/** Faults that are listed. */
const MOST_LISTED = 16

/** The bit of each action. */
const bits = Object.fromEntries(grantActions.map((action, i) => [action, 1 << i])) as Record<GrantAction, number>

/**
 * Compiles the union of all grants; then what any source denies is denied. Patterns with `{client_id}` or `{sub}` are
 * faults unless `values` are given.
 */
export function compilePermissions(sources: readonly GrantSource[], values?: TemplateValues): Compiled {
  const faults: Fault[] = []
  const granted: Grant[] = []
  const denied: Grant[] = []
  for (const { path = '', permissions, deny } of sources) {
    readGrants(permissions, `${path}/permissions`, { values, faults, grants: granted })
    readGrants(deny, `${path}/deny`, { values, faults, grants: denied })
  }
  const [first, ...others] = faults
  if (first !== undefined) return { faults: [first, ...others] }
  return { permissions: new CompiledPermissions(new GrantTable(granted), new GrantTable(denied)) }
}

class CompiledPermissions implements Permissions {
  readonly #granted: GrantTable
  readonly #denied: GrantTable

  constructor(granted: GrantTable, denied: GrantTable) {
    this.#granted = granted
    this.#denied = denied
  }

  allows(action: GrantAction, room: string, channel: string): boolean {
    const bit = bits[action]
    return (this.#granted.at(room, channel) & bit) !== 0 && (this.#denied.at(room, channel) & bit) === 0
  }

  coverage(action: GrantAction, room: string): 'all' | 'some' | 'none' {
    const bit = bits[action]
    if ((this.#granted.inSome(room) & bit) === 0 || (this.#denied.at(room, WHOLE_ROOM) & bit) !== 0) return 'none'
    const isWhole = (this.#granted.at(room, WHOLE_ROOM) & bit) !== 0 && (this.#denied.inSome(room) & bit) === 0
    return isWhole ? 'all' : 'some'
  }

  allowsClient(action: GrantAction, clientId: string): boolean {
    const bit = bits[action]
    return (this.#granted.clients.of(clientId) & bit) !== 0 && (this.#denied.clients.of(clientId) & bit) === 0
  }

  deniesClient(action: GrantAction, clientId: string): boolean {
    return (this.#denied.clients.of(clientId) & bits[action]) !== 0
  }
}

type Reading = { readonly values: TemplateValues | undefined; readonly faults: Fault[]; readonly grants: Grant[] }

function readGrants(written: unknown, path: string, { values, faults, grants }: Reading): void {
  const fault = (at: string, expected: string) => {
    if (faults.length < MOST_LISTED) faults.push({ path: at, expected })
  }
  if (written === undefined) return
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    return fault(path, 'an object of address patterns, each with a list of actions')
  const patterns = Object.entries(written)
  if (patterns.length > MOST_PATTERNS) return fault(path, `at most ${MOST_PATTERNS} patterns`)
  for (const [text, actions] of patterns) {
    const at = `${path}/${pointer(text)}`
    const pattern = patternOf(text, values)
    if (typeof pattern === 'string') fault(at, pattern)
    const mask = maskOf(actions)
    if (mask === undefined) fault(at, `a list of actions: ${grantActions.join(', ')}`)
    if (typeof pattern === 'object' && mask !== undefined) grants.push({ pattern, mask })
  }
}

function maskOf(actions: unknown): number | undefined {
  if (!Array.isArray(actions) || actions.length > grantActions.length * 2) return undefined
  let mask = 0
  for (const action of actions) {
    if (!isAction(action)) return undefined
    mask |= bits[action]
  }
  return mask
}

const isAction = (action: unknown): action is GrantAction => grantActions.includes(action as GrantAction)

const EXPECTED =
  '`room:channel` or `@client_id`, where a name may be `*`, or end in one `*`: `science:*`, `ops:agent-*`, `@support-*`'
const EXPECTED_TEMPLATE = '`{client_id}` and `{sub}` as the only templates'
const NO_TEMPLATES = 'no templates: `{client_id}` and `{sub}` have a value in patterns of the configuration only'

const room = (text: string): boolean => isName(text)
const client = (text: string): boolean => isClientId(text)

/** The pattern; undefined for one that matches nothing, and what is expected where it is none. */
function patternOf(text: string, values: TemplateValues | undefined): AddressPattern | undefined | string {
  const isOfClients = text.startsWith('@')
  const parts = isOfClients ? [text.slice(1)] : text.split(':', 3)
  if (parts.length !== (isOfClients ? 1 : 2)) return EXPECTED
  const names = parts.map((part) => namePatternOf(part, isOfClients ? client : room, values))
  const wrong = names.find((name) => typeof name === 'string')
  if (typeof wrong === 'string') return wrong
  const [first, second] = names as (NamePattern | undefined)[]
  if (isOfClients) return first && { client: first }
  return first && second && { room: first, channel: second }
}

const template = /\{([^{}]*)\}/g

function namePatternOf(
  written: string,
  isValid: (text: string) => boolean,
  values: TemplateValues | undefined,
): NamePattern | undefined | string {
  if (written === '*') return { kind: 'any', text: '' }
  const isPrefix = written.endsWith('*')
  const name = isPrefix ? written.slice(0, -1) : written
  let hasValues = true
  let wrong: string | undefined
  /** With `x` in place of each template, the form of the pattern is checked whatever the values are. */
  const form = name.replace(template, (_whole, key: string) => {
    if (key !== 'client_id' && key !== 'sub') wrong = EXPECTED_TEMPLATE
    else if (values === undefined) wrong = NO_TEMPLATES
    else hasValues &&= values[key] !== undefined && isValid(values[key])
    return 'x'
  })
  if (wrong !== undefined) return wrong
  if (!isValid(form)) return EXPECTED
  if (!hasValues) return undefined
  const text = name.replace(template, (_whole, key: string) => values![key as keyof TemplateValues]!)
  return isValid(text) ? { kind: isPrefix ? 'prefix' : 'exact', text } : undefined
}

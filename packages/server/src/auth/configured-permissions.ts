/**
 * The permissions of the configuration, `ARQONBUS_PERMISSIONS`: rules by client type and role. They bound what tokens
 * grant: an identity may do what both allow (docs/protocol.md#permissions).
 */
import { isDeepStrictEqual } from 'node:util'
import { type ClientType, clientTypes, type Fault } from '@arqonbus/protocol'
import { type Compiled, compilePermissions, type GrantSource, type TemplateValues } from './compile-permissions.ts'
import type { Identity, Role } from './identity.ts'
import { bothOf, type GrantAction, nothing, type Permissions } from './permissions.ts'

/** One rule: for which clients, and what it grants and denies them. */
type Rule = {
  readonly clientType: ClientType | undefined
  readonly role: Role | undefined
  readonly source: GrantSource
  readonly hasTemplates: boolean
}

/** Rules that the configuration may have. */
const MOST_RULES = 1000

const roles: readonly Role[] = ['user', 'admin']
const fields = ['client_type', 'role', 'permissions', 'deny']

/** What a token, or the lack of one, grants within the bounds of the configuration. */
class BoundedPermissions implements Permissions {
  /** What it grants without these bounds: they may be replaced. */
  readonly own: Permissions
  readonly #both: Permissions

  constructor(own: Permissions, bounds: Permissions) {
    this.own = own
    this.#both = bothOf(own, bounds)
  }

  allows(action: GrantAction, room: string, channel: string): boolean {
    return this.#both.allows(action, room, channel)
  }

  coverage(action: GrantAction, room: string): 'all' | 'some' | 'none' {
    return this.#both.coverage(action, room)
  }

  allowsClient(action: GrantAction, clientId: string): boolean {
    return this.#both.allowsClient(action, clientId)
  }

  deniesClient(action: GrantAction, clientId: string): boolean {
    return this.#both.deniesClient(action, clientId)
  }
}

/** The rules in force; none where nothing is configured. */
export class ConfiguredPermissions {
  #rules: readonly Rule[] | undefined
  #written: unknown
  /** Compiled once for all clients of a type and role, as long as no rule for them has templates. */
  readonly #compiled = new Map<string, Permissions>()

  /**
   * Puts rules into force, in place of those that were; undefined for none. Returns what is wrong with them: then the
   * rules that were stay in force.
   */
  replace(written: unknown): readonly Fault[] {
    const { rules, faults } = written === undefined ? { rules: undefined, faults: [] } : readRules(written)
    if (faults.length > 0) return faults
    this.#rules = rules
    this.#written = written
    this.#compiled.clear()
    return []
  }

  /** True where others were written in the same words. */
  isLike(other: ConfiguredPermissions): boolean {
    return isDeepStrictEqual(this.#written, other.#written)
  }

  /** The same identity within the bounds of the rules, in place of those that it was in before. */
  bound(identity: Identity, clientType: ClientType): Identity {
    const { permissions: now } = identity
    const own = now instanceof BoundedPermissions ? now.own : now
    const bounds = this.#rules && this.#boundsOf(this.#rules, identity, clientType)
    const permissions = bounds === undefined ? own : new BoundedPermissions(own, bounds)
    return permissions === now ? identity : { ...identity, permissions }
  }

  #boundsOf(rules: readonly Rule[], { id, subject, role }: Identity, clientType: ClientType): Permissions {
    const key = `${clientType} ${role}`
    const known = this.#compiled.get(key)
    if (known !== undefined) return known
    const ofClient = rules.filter(
      (rule) => (rule.clientType ?? clientType) === clientType && (rule.role ?? role) === role,
    )
    const sources = ofClient.map(({ source }) => source)
    const permissions = valid(compilePermissions(sources, { client_id: id, sub: subject }))
    if (ofClient.every(({ hasTemplates }) => !hasTemplates)) this.#compiled.set(key, permissions)
    return permissions
  }
}

/** Rules are checked when they are read. */
const valid = (compiled: Compiled): Permissions => ('faults' in compiled ? nothing : compiled.permissions)

const NO_VALUES: TemplateValues = {}

function readRules(written: unknown): { readonly rules: readonly Rule[]; readonly faults: readonly Fault[] } {
  if (!Array.isArray(written) || written.length > MOST_RULES)
    return { rules: [], faults: [{ path: '', expected: `a list of at most ${MOST_RULES} rules` }] }
  const faults: Fault[] = []
  const rules: Rule[] = []
  for (const [i, rule] of written.entries()) {
    const path = `/${i}`
    if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) {
      faults.push({ path, expected: `an object with ${fields.join(', ')}` })
      continue
    }
    const { client_type: clientType, role, permissions, deny } = rule as Record<string, unknown>
    for (const key of Object.keys(rule))
      if (!fields.includes(key))
        faults.push({ path: `${path}/${key}`, expected: `to be absent: a rule has ${fields.join(', ')}` })
    if (clientType !== undefined && !clientTypes.includes(clientType as ClientType))
      faults.push({ path: `${path}/client_type`, expected: `one of ${clientTypes.join(', ')}` })
    if (role !== undefined && !roles.includes(role as Role))
      faults.push({ path: `${path}/role`, expected: `one of ${roles.join(', ')}` })
    const source = { path, permissions, deny }
    const compiled = compilePermissions([source], NO_VALUES)
    if ('faults' in compiled) faults.push(...compiled.faults)
    rules.push({
      clientType: clientType as ClientType | undefined,
      role: role as Role | undefined,
      source,
      hasTemplates: [permissions, deny].some((grants) => Object.keys(grants ?? {}).some((one) => one.includes('{'))),
    })
  }
  return { rules, faults }
}

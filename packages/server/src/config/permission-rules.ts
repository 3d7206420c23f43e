/**
 * Permissions of the configuration: rules as JSON, or the path of a file with them. What is in the rules is checked where
 * they are put into force, because they may be replaced while the server runs (`auth/configured-permissions.ts`).
 */
import type { Kind, Reading } from './kind.ts'

/** Rules, or the file that has them. */
export type PermissionRules = { readonly rules: readonly unknown[] } | { readonly file: string }

/** `[{ "client_type": "ai-agent", "permissions": { … } }]` as a text, a list of tables in the file, or a path. */
export const permissionRules: Kind<PermissionRules> = {
  name: 'rules',
  accepts:
    'a JSON list of rules, or the path of a file with one; in the file also tables { client_type?, role?, permissions?, deny? }',
  read(raw): Reading<PermissionRules> {
    if (Array.isArray(raw)) return { value: { rules: raw } }
    if (typeof raw !== 'string' || raw.trim() === '') return {}
    if (!raw.trimStart().startsWith('[')) return { value: { file: raw.trim() } }
    try {
      return { value: { rules: JSON.parse(raw) as unknown[] } }
    } catch (problem) {
      return { faults: [`is not JSON: ${String(problem)}`] }
    }
  },
  text: (value) => ('file' in value ? value.file : JSON.stringify(value.rules)),
}

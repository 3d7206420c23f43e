/** The last commands that were run by a form. */
import { signal } from '@preact/signals'
import type { Outcome } from './run.ts'

/** A command that was run, and its outcome: `success` or an error code. */
export type Ran = { readonly id: number; readonly name: string; readonly code: string; readonly at: number }

/** The last commands, the latest first. */
export const history = signal<readonly Ran[]>([])

const MOST = 20
let ids = 0

/** Notes that a command was run. */
export function note(name: string, outcome: Outcome): void {
  const code = outcome.ok ? 'success' : outcome.error.code
  history.value = [{ id: ++ids, name, code, at: Date.now() }, ...history.value].slice(0, MOST)
}

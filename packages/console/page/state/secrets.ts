import { signal } from '@preact/signals'

/** What the user brought to be let in. It stays in this tab: never in the address, never in what outlives the tab. */
export type Secrets = { readonly token: string; readonly adminKey: string }

const KEY = 'arqonbus-console'

/** The secrets in force; empty where there are none. */
export const secrets = signal<Secrets>(stored())

/** Why the user is asked for them, while they are: the dialog is open. */
export const asking = signal<string | undefined>(undefined)

/** Keeps them for as long as the tab is open. */
export function keepSecrets(next: Secrets): void {
  secrets.value = next
  sessionStorage.setItem(KEY, JSON.stringify(next))
}

function stored(): Secrets {
  try {
    const { token, adminKey } = JSON.parse(sessionStorage.getItem(KEY) ?? '{}')
    return { token: typeof token === 'string' ? token : '', adminKey: typeof adminKey === 'string' ? adminKey : '' }
  } catch {
    return { token: '', adminKey: '' }
  }
}

import { signal } from '@preact/signals'

/**
 * The secrets that the user has entered. They are stored in this tab only: never in the URL, nor in any storage that
 * survives the tab.
 */
export type Secrets = { readonly token: string; readonly adminKey: string }

const KEY = 'arqonbus-console'

/** The current secrets; empty strings if there are none. */
export const secrets = signal<Secrets>(stored())

/** Why the user is asked for secrets, while the dialog is open. */
export const asking = signal<string | undefined>(undefined)

/** Stores the secrets for as long as the tab is open. */
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

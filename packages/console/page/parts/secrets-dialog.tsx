import { useState } from 'preact/hooks'
import { openBus } from '../state/bus.ts'
import { asking, keepSecrets, secrets } from '../state/secrets.ts'
import { FormDialog } from './form-dialog.tsx'
import { TextField } from './text-field.tsx'

/** Asks for a token or the admin key. */
export function SecretsDialog({ why }: { why: string }) {
  const [token, setToken] = useState(secrets.value.token)
  const [adminKey, setAdminKey] = useState(secrets.value.adminKey)
  const close = () => {
    asking.value = undefined
  }

  function save(): void {
    const isOtherToken = token !== secrets.value.token
    keepSecrets({ token, adminKey })
    close()
    if (isOtherToken) void openBus()
  }

  return (
    <FormDialog title="Key and token" action="Use them" onSubmit={save} onClose={close}>
      {why !== '' && <p>{why}</p>}
      <TextField
        label="Admin key"
        isSecret
        maxLength={1024}
        hint="Sent with commands for admins."
        value={adminKey}
        onInput={setAdminKey}
      />
      <TextField
        label="Token"
        isSecret
        hint="Identifies this page to the bus. A change reconnects the page."
        value={token}
        onInput={setToken}
      />
      <p class="muted">Both are stored in this tab only, until it is closed.</p>
    </FormDialog>
  )
}

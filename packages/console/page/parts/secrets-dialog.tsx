import { useState } from 'preact/hooks'
import { openBus } from '../state/bus.ts'
import { asking, keepSecrets, secrets } from '../state/secrets.ts'
import { Dialog } from './dialog.tsx'

/** Asks for a token or the admin key. */
export function SecretsDialog({ why }: { why: string }) {
  const [token, setToken] = useState(secrets.value.token)
  const [adminKey, setAdminKey] = useState(secrets.value.adminKey)
  const close = () => {
    asking.value = undefined
  }

  function save(event: Event): void {
    event.preventDefault()
    const isOtherToken = token !== secrets.value.token
    keepSecrets({ token, adminKey })
    close()
    if (isOtherToken) void openBus()
  }

  return (
    <Dialog title="Key and token" onClose={close}>
      {why !== '' && <p>{why}</p>}
      <form class="form" onSubmit={save}>
        <div class="field">
          <label for="admin-key">Admin key</label>
          <input
            id="admin-key"
            type="password"
            autocomplete="off"
            maxLength={1024}
            aria-describedby="admin-key-hint"
            value={adminKey}
            onInput={(event) => setAdminKey(event.currentTarget.value)}
          />
          <small id="admin-key-hint">Sent with commands for admins.</small>
        </div>
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            aria-describedby="token-hint"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
          <small id="token-hint">Identifies this page to the bus. A change reconnects the page.</small>
        </div>
        <p class="muted">Both are stored in this tab only, until it is closed.</p>
        <div class="actions">
          <button type="submit" class="primary">
            Use them
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  )
}

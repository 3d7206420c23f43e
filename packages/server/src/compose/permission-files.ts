/** Reads the permissions of the configuration, at the start and again while the server runs. */
import { readFile } from 'node:fs/promises'
import type { Fault } from '@arqonbus/protocol'
import { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import type { Config } from '../config/index.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'
import type { Logger } from '../observability/logger.ts'
import type { Renewal } from '../subscriptions/renewal.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import { permittedChannels, type TelemetrySubscribers } from '../telemetry/subscribers.ts'
import type { ReloadPart } from './settings-reload.ts'

type Setting = Config['permissions']

/** The permissions that the configuration names; a `StartError` where they cannot be read, or are wrong. */
export async function createConfiguredPermissions(setting: Setting): Promise<ConfiguredPermissions> {
  const permissions = new ConfiguredPermissions()
  const faults = await readPermissions(permissions, setting)
  if (faults.length === 0) return permissions
  throw new StartError(listOf(faults), exitCodes.configuration)
}

/** What is wrong with permissions, in one line. */
const listOf = (faults: readonly Fault[]): string =>
  `ARQONBUS_PERMISSIONS cannot be used: ${faults.map(({ path, expected }) => `${path || '/'} must be ${expected}`).join('; ')}`

/** Reads them again. Returns what is wrong: then those that were in force stay in force. */
export async function readPermissions(permissions: ConfiguredPermissions, setting: Setting): Promise<readonly Fault[]> {
  if (setting === undefined) return permissions.replace(undefined)
  if ('rules' in setting) return permissions.replace(setting.rules)
  try {
    return permissions.replace(JSON.parse(await readFile(setting.file, 'utf8')) as unknown)
  } catch (problem) {
    return [{ path: '', expected: `a readable file with JSON: ${setting.file}: ${String(problem)}` }]
  }
}

/** What reading them again needs. */
type ReloadDeps = {
  readonly permissions: ConfiguredPermissions
  readonly config: Pick<Config, 'permissions'>
  readonly logger: Logger
}

/** What applying them again needs. */
type ReloadParts = {
  readonly renewal: Pick<Renewal, 'reapply'>
  readonly subscribers: Pick<TelemetrySubscribers, 'all'>
  readonly broadcast: Pick<TelemetryBroadcast, 'close'>
}

/** Reads permissions again, and applies them to all clients. Returns what is wrong: then nothing has changed. */
export type ReloadPermissions = (setting?: Setting) => Promise<readonly Fault[]>

/** Creates the function that reads permissions again: those of the setting that is given, or else the same one. */
export function createReloadPermissions(
  { permissions, config, logger }: ReloadDeps,
  { renewal, subscribers, broadcast }: ReloadParts,
): ReloadPermissions {
  return async (...given) => {
    const setting = given.length === 0 ? config.permissions : given[0]
    const faults = await readPermissions(permissions, setting)
    if (faults.length > 0) {
      logger.warn({ event: 'permissions_refused', faults })
      return faults
    }
    await renewal.reapply()
    for (const subscriber of [...subscribers.all()]) {
      const permitted = permittedChannels(permissions.bound(subscriber.identity, subscriber.profile.clientType))
      // It connects again, and is told what it may be told then.
      if (permitted.length !== subscriber.channels.length) broadcast.close(subscriber, 'forbidden')
    }
    logger.info({ event: 'permissions_reloaded' })
    return faults
  }
}

/** What a reload of all settings does with permissions. */
export const permissionsPart = (permissions: ConfiguredPermissions, reload: ReloadPermissions): ReloadPart => ({
  name: 'permissions',
  settings: ['permissions'],
  readsFiles: true,
  async prepare({ permissions: setting }) {
    const next = new ConfiguredPermissions()
    const faults = await readPermissions(next, setting)
    if (faults.length > 0) throw new Error(listOf(faults))
    return next.isLike(permissions) ? undefined : () => reload(setting)
  },
})

/** Commands of the console, with the admin key where one is needed. */
import { ArqonBusError } from '@arqonbus/client'
import type { CommandName } from '@arqonbus/protocol'
import { client } from './bus.ts'
import { secrets } from './secrets.ts'

/** What a command came to. */
export type Outcome =
  | { readonly ok: true; readonly result: unknown; readonly tookMs: number }
  | { readonly ok: false; readonly error: Refusal; readonly tookMs: number }

/** A refusal as people read it. */
export type Refusal = {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>> | undefined
}

/** Any failure as people read it. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ArqonBusError)) return { code: 'failed', message: String(error), details: undefined }
  return { code: error.code, message: error.message, details: error.details }
}

/** Runs a command. `asAdmin` sends the admin key with it, where the user gave one. */
export async function run(name: string, parameters: object = {}, asAdmin = false): Promise<Outcome> {
  const started = performance.now()
  const tookMs = () => performance.now() - started
  try {
    const result = await send(name, parameters, asAdmin)
    return { ok: true, result, tookMs: tookMs() }
  } catch (error) {
    return { ok: false, error: refusalOf(error), tookMs: tookMs() }
  }
}

function send(name: string, given: object, asAdmin: boolean): Promise<unknown> {
  const bus = client.value
  if (bus === undefined) throw new Error('There is no connection to the bus yet.')
  const { adminKey } = secrets.value
  const parameters = asAdmin && adminKey !== '' ? { ...given, admin_key: adminKey } : given
  return bus.command(name as CommandName, parameters as never)
}

/** Sends commands, with the admin key if one is needed. */
import { ArqonBusError } from '@arqonbus/client'
import type { CommandName } from '@arqonbus/protocol'
import { client } from './bus.ts'
import { secrets } from './secrets.ts'

/** The outcome of a command. */
export type Outcome =
  | { readonly ok: true; readonly result: unknown; readonly tookMs: number }
  | { readonly ok: false; readonly error: Refusal; readonly tookMs: number }

/** A refusal as text for people. */
export type Refusal = {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>> | undefined
}

/** The text of any failure, for people. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ArqonBusError)) return { code: 'failed', message: String(error), details: undefined }
  return { code: error.code, message: error.message, details: error.details }
}

/** Runs a command. `asAdmin` sends the admin key with it, if the user has entered one. */
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
  if (bus === undefined) throw new Error('The page is not connected to the bus yet.')
  const { adminKey } = secrets.value
  const parameters = asAdmin && adminKey !== '' ? { ...given, admin_key: adminKey } : given
  const address = addressIn(given)
  if (address !== undefined) {
    // By the client's own methods, so that a subscription survives reconnects, and one that was left does not return.
    const { room: _, channel: __, ...rest } = parameters as { room?: string; channel?: string }
    if (name === 'join_channel') return bus.join(address, rest)
    if (name === 'leave_channel') return bus.leave(address).then((left) => ({ channel: address, left }))
  }
  return bus.command(name as CommandName, parameters as never)
}

/** The only channel that the parameters name. */
function addressIn(given: { room?: string; channel?: string; channels?: unknown }): string | undefined {
  if (given.channel === undefined || given.channels !== undefined) return undefined
  if (given.channel.includes(':')) return given.channel
  return given.room === undefined ? undefined : `${given.room}:${given.channel}`
}

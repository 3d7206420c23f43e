/** How far the server is between its start and its end, and what of it did not come up. */

/** Set by the start and by the drain; read wherever something new would begin. */
export type Lifecycle = {
  /** From the signal to stop on; clients are still served as long as it is not draining. */
  isStopping: boolean
  /** No new connection is admitted, and frames are refused. */
  isDraining: boolean
  /** Configured rooms and channels that could not be created, with the reason of each. */
  unmade: readonly string[]
  /** Why the telemetry server does not listen, though it should. */
  telemetryFault: string | undefined
}

/** The lifecycle of a server that starts. */
export const createLifecycle = (): Lifecycle => ({
  isStopping: false,
  isDraining: false,
  unmade: [],
  telemetryFault: undefined,
})

/** How far the server is between its start and its end, and what of it did not come up. */

/** Set by the start and by the drain; read wherever something new would begin. */
export class Lifecycle {
  /** From the signal to stop on; clients are still served as long as it is not draining. */
  isStopping = false
  /** No new connection is admitted, and frames are refused. */
  isDraining = false
  /** Configured rooms and channels that could not be created, with the reason of each. */
  unmade: readonly string[] = []
  /** Why the telemetry server does not listen, though it should. */
  telemetryFault: string | undefined
}

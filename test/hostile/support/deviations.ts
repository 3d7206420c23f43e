/**
 * The known deviations of the server from RFC 6455, each with a page entry (docs/security/websocket-deviations.md) and a
 * test that it still exists: one that has gone must not stay in the list.
 */
import type { ModelDeviation } from './model.ts'

/** Those that the model of frames follows. */
export const modelDeviations: readonly ModelDeviation[] = ['long-form-lengths']

/** All of them, by name. */
export const deviations = [
  ...modelDeviations,
  'http-1.0-upgrades',
  'origin-refused-after-upgrade',
  'unsupported-subprotocol-selected',
] as const

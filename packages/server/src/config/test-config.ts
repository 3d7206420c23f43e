/** Settings for tests: the defaults, on ports that the system chooses. */
import { webhooks } from './configured-webhooks.ts'
import { withDefaults } from './load.ts'
import type { Config, OptionKey } from './options.ts'

/**
 * The defaults with ports 0, a silent log and metrics as of now, and whatever a test wants otherwise. Rules between
 * settings are the test's own business.
 */
export function testConfig(overrides: Partial<Config> = {}): Config {
  const ports = { port: 0, telemetryPort: 0, httpPort: 0 }
  const values: Partial<Config> = { ...ports, logLevel: 'silent', httpCacheMs: 0, ...overrides }
  return withDefaults(new Map(Object.entries(values) as [OptionKey, unknown][]))
}

/** Webhooks as a user writes them; throws where they are not valid. */
export function webhooksOf(written: readonly object[]): Config['webhooks'] {
  const { value, faults = [] } = { faults: undefined, ...webhooks.read(written) }
  if (value === undefined) throw new TypeError(faults.join('; '))
  return value
}

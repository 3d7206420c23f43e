/** Settings for tests: the defaults, on ports that the system chooses. */
import { withDefaults } from './load.ts'
import type { Config, OptionKey } from './options.ts'

/** The defaults with ports 0 and a silent log, and whatever a test wants otherwise. Rules between settings are the test's own business. */
export function testConfig(overrides: Partial<Config> = {}): Config {
  const values: Partial<Config> = { port: 0, telemetryPort: 0, httpPort: 0, logLevel: 'silent', ...overrides }
  return withDefaults(new Map(Object.entries(values) as [OptionKey, unknown][]))
}

/** Settings: one table, three sources, all mistakes at once. */

export { type AddressPattern, fitsAddress } from './address-pattern.ts'
export type { EventSelector, WebhookConfig, WebhookEventType } from './configured-webhooks.ts'
export { type Loaded, loadConfig } from './load.ts'
export { configFile, groups, namesOf, secretFileNamesOf } from './option.ts'
export { anyOption, type Config, longestFrame, type OptionKey, optionKeys } from './options.ts'
export { type RedisAddress, redisAddress } from './redis-address.ts'
export { defaultText, type ReferenceRow, reference } from './reference.ts'
export { configText, mistakesText, warningsText } from './report.ts'
export type { Flags } from './sources.ts'
export { type Machine, redisWarningsOf, type StartWarning, startWarningEvents, warningsOf } from './start-warnings.ts'
export { testConfig, webhooksOf } from './test-config.ts'
export { samplers, tracesUrl } from './traces.ts'

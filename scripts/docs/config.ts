/** `docs/reference/config.md`: every setting, from the one table of them. */

import { fileReference, type ReferenceRow, reference } from '@arqonbus/server/config'
import { generatedFrom, type Page, page, table } from './page.ts'

const example = `\`\`\`toml
port = 9100
history_ttl = "48h"
rate_limit = "200/s,400"

[[rooms]]
name = "science"
config = { topic = "what we know" }
channels = [
  "general",
  { name = "staff", type = "private", metadata = { members = ["ada"] }, options = { history_size = 50 } },
]
\`\`\``

const forms = [
  '**Durations** name their unit: `500ms`, `10s`, `2m`, `24h`, `7d`, also `1h30m`. A bare `60` is refused, because it could be seconds or milliseconds; `0` may go without.',
  '**Sizes** are bytes, or name their unit: `4096`, `256KiB`, `1MiB`, `2GiB` (1,024), `1MB` (1,000).',
  '**Rates** are `<count>/s,<burst>` or `<count>/m,<burst>`; without a burst it is what two seconds bring; `off` is no limit. `RATE_LIMIT=off` switches off every rate and per-address limit, that of commands too.',
  '**Lists** are separated by commas, in the file also `["a", "b"]`; `none` is the empty list.',
  '**Rooms** are `room:channel` or `room`. In the file each can also be a table, as above: a channel takes `name`, `type` (`general`, `private`, `system`), `metadata`, and `options` (`history_size`, `history_ttl_ms`, `max_participants`, `durability`). A room or channel that cannot be created stops the start with exit code 78, unless `BOOTSTRAP` is `lenient`.',
]

/** The reference of settings. */
export const configPage: Page = {
  path: 'docs/reference/config.md',
  render: () =>
    page(
      generatedFrom('`packages/server/src/config/options.ts`'),
      '# Settings',
      'Every setting has three names: `ARQONBUS_MAX_DEPTH` in the environment, `--max-depth` as a flag, `max_depth` in the file. Variables win over the file, flags over both. All mistakes, unknown names among them, are listed at once, and the start stops with exit code 78. `arqonbus check-config` prints what is in force and where it comes from, with secrets hidden.',
      `\`--${fileReference.flag}\` or \`${fileReference.variable}\` names the file: JSON or TOML, by its ending.`,
      example,
      'A variable that is empty counts as not set, and so does what Kubernetes puts into every pod for a service named `arqonbus` (`ARQONBUS_SERVICE_HOST`, `ARQONBUS_PORT=tcp://…`).',
      'The settings of [traces](../guide/tracing.md) are standard variables of OpenTelemetry and keep its names: `OTEL_SERVICE_NAME` is `--otel-service-name` and `otel_service_name`. Those that are not listed here are for others.',
      'Give secrets as variables or in the file: flags can be read by everybody on the machine.',
      '## Forms',
      forms.map((form) => `- ${form}`).join('\n'),
      ...reference().flatMap(({ group, rows }) => [
        `## ${group}`,
        table(['variable', 'default', 'what it does', 'accepts'], rows.map(cells)),
      ]),
    ),
}

function cells({ variable, default: fallback, text, accepts }: ReferenceRow): string[] {
  return [`\`${variable}\``, fallback, text, accepts]
}

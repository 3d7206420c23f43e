/** `docs/reference/config.md`: every setting, from the table of settings. */

import { configFile, type ReferenceRow, reference } from '@arqonbus/server/config'
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
  '**Durations** have a unit: `500ms`, `10s`, `2m`, `24h`, `7d`, also `1h30m`. A bare `60` is refused, because it could be seconds or milliseconds; `0` needs no unit.',
  '**Sizes** are bytes, or have a unit: `4096`, `256KiB`, `1MiB`, `2GiB` (1,024), `1MB` (1,000).',
  '**Rates** are `<count>/s,<burst>` or `<count>/m,<burst>`; the default burst is the count of two seconds; `off` means no limit. `RATE_LIMIT=off` disables every rate limit and every limit per address, including that of commands.',
  '**Lists** are separated by commas; in the file they can also be written `["a", "b"]`; `none` is the empty list.',
  '**Rooms** are `room:channel` or `room`. In the file each can also be a table, as above: a channel takes `name`, `type` (`general`, `private`, `system`), `metadata`, and `options` (`history_size`, `history_ttl_ms`, `max_participants`, `durability`). A room or channel that cannot be created stops the start with exit code 78, unless `BOOTSTRAP` is `lenient`.',
]

/** The reference of settings. */
export const configPage: Page = {
  path: 'docs/reference/config.md',
  render: () =>
    page(
      generatedFrom('`packages/server/src/config/options.ts`'),
      '# Settings',
      'Every setting has three names: `ARQONBUS_MAX_DEPTH` in the environment, `--max-depth` as a flag, `max_depth` in the file. Variables override the file, and flags override both. All mistakes, including unknown names, are listed together, and the start stops with exit code 78. `arqonbus check-config` prints the effective settings and the source of each, with secrets hidden.',
      `\`--${configFile.flag}\` or \`${configFile.variable}\` names the file: JSON or TOML, by its ending.`,
      example,
      'An empty variable counts as not set, and so do the variables that Kubernetes sets in every pod for a service named `arqonbus` (`ARQONBUS_SERVICE_HOST`, `ARQONBUS_PORT=tcp://…`).',
      'The settings of [traces](../guide/tracing.md) are standard variables of OpenTelemetry and keep their standard names: `OTEL_SERVICE_NAME` is `--otel-service-name` and `otel_service_name`. Other variables of OpenTelemetry are ignored. A value of such a variable that is not valid or not supported is ignored with a warning (`setting_ignored`), as the specification of OpenTelemetry demands; as a flag or in the file it is a mistake.',
      'Set secrets as variables or in the file: every user of the machine can read flags. Each secret can also be in a file of its own, such as one that Docker, Kubernetes or systemd mounts: `ARQONBUS_ADMIN_KEY_FILE=/run/secrets/admin_key`, `--admin-key-file` or `admin_key_file`. Line ends at the end of the file are not part of the secret. A file that is missing, unreadable or empty stops the start, as does a secret that is given in both ways; a file that every user can read is a warning (`secret_file_open`). The file is read once, at the start.',
      '## Forms',
      forms.map((form) => `- ${form}`).join('\n'),
      ...reference().flatMap(({ group, rows }) => [
        `## ${group}`,
        table(['variable', 'default', 'what it does', 'accepts'], rows.map(cells)),
      ]),
    ),
}

function cells({ variable, fileVariable, default: fallback, text, accepts }: ReferenceRow): string[] {
  const names = [variable, fileVariable].filter((name) => name !== undefined)
  return [names.map((name) => `\`${name}\``).join(', '), fallback, text, accepts]
}

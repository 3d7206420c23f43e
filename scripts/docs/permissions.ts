/** `docs/reference/permissions.md`: which grant every path needs, from the declarations. */

import { type CommandShape, commands, type GrantNeed, grantActions, grantPlaces } from '@arqonbus/protocol'
import { endpoints } from '@arqonbus/server/endpoints'
import { generatedFrom, type Page, page, table } from './page.ts'

/** What each action allows. */
const meanings: Record<(typeof grantActions)[number], string> = {
  join: 'join a channel, be delivered its messages, inspect it, and see it in lists',
  publish: 'publish to a channel, and delete what one has published; at `room:*`, to the whole room',
  history: 'read what was said before: `history`, and joins with `since`',
  create: 'create a channel by `create_channel`, a join or a publish, and delete what one has created',
  manage:
    'pause, resume and delete a room, delete a channel, change its members; at `@client_id`, disconnect the client',
  private: 'at `@client_id`: send private messages to the client',
  presence: 'see who is in a channel; at `@client_id`, see the client in the list of all clients',
  telemetry:
    'at `integriguard:telemetry-stream` and `integriguard:dashboard-events`: be told the events of that channel',
  status: 'at `arqonbus:control`: read the figures of the server',
  ask: 'ask for decisions',
  decide: 'answer such questions',
}

/** Frames and connections that are no commands. */
const others: readonly (readonly [what: string, need: string])[] = [
  ['`event` to a channel', '`publish` at its channel'],
  ['`event` to `room:*`', '`publish` at `room:*`'],
  [
    '`private`',
    '`private` at `@client_id` of each recipient, or the right to answer; `join` or `publish` in the room, if that is not `arqonbus`',
  ],
  ['`telemetry`', '`publish` at `integriguard:telemetry-stream`'],
  ['`join` in the URL of a WebSocket, subscriptions of a resumed session', 'as `join_channel`'],
  ['`since`, `room_since` of a join', '`history` at the channel, or at `room:*`; without it only new messages follow'],
  ['a join of a channel of `integriguard`, the telemetry server', '`telemetry` at its channel'],
  ['a join or a publish that creates a channel', '`create` at its channel'],
]

/** A need in words. */
export const needText = (grant: GrantNeed): string =>
  grant === 'nothing'
    ? 'none'
    : `${grant.actions.map((action) => `\`${action}\``).join(' or ')} at ${grantPlaces[grant.at]}`

/** The reference of permissions. */
export const permissionsPage: Page = {
  path: 'docs/reference/permissions.md',
  render: () =>
    page(
      generatedFrom('`packages/protocol/src/commands/` and `packages/server/src/http/api/endpoints.ts`'),
      '# Permissions',
      '[The protocol](../protocol.md#permissions) says what grants are and how they are asked; [the guide](../guide/permissions.md) has examples. Beside the grant, the rules of the room or channel apply: a private channel is for its creator, its members and admins. An admin needs no grant.',
      '## Actions',
      table(
        ['action', 'allows to'],
        grantActions.map((action) => [`\`${action}\``, meanings[action]]),
      ),
      '## Commands',
      table(
        ['command', 'grant', 'who may, of those with the grant'],
        Object.values<CommandShape>(commands).map(({ name, grant, who }) => [
          `[\`${name}\`](commands.md#${name})`,
          needText(grant),
          who,
        ]),
      ),
      '## Messages and connections',
      table(
        ['what', 'grant'],
        others.map((row) => [...row]),
      ),
      '## HTTP endpoints',
      table(
        ['endpoint', 'grant'],
        endpoints.map(({ method, path, grant }) => [`\`${method} ${path}\``, needText(grant)]),
      ),
    ),
}

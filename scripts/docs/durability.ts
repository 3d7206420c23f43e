/** `docs/reference/durability.md`: what survives which failure at each level, and which test shows it. */
import {
  type Cell,
  derivations,
  type Failure,
  failures,
  type Proof,
  replicaProofs,
  type Setup,
  setups,
} from './durability-table.ts'
import { generatedFrom, type Page, page, table } from './page.ts'

const columns = Object.keys(setups) as Setup[]

/** The reference of durability levels. */
export const durabilityPage: Page = {
  path: 'docs/reference/durability.md',
  render: () =>
    page(
      generatedFrom('`scripts/docs/durability-table.ts`'),
      '# Durability',
      'An acknowledgement names a level: where the message is. The level is never higher than the log guaranteed when it was last queried, and a message that requires a level that is not available is refused (`storage_unavailable`), not lowered. This page describes what each level survives. Every row names the tests that show it; `npm test` and `npm run test:faults` run them. If a row does not depend on how Redis syncs, they run with `everysec`.',
      levels,
      '## What survives what',
      'For messages that were acknowledged before the failure. **Kept**: each is in the history at its position, and reaches every subscriber that stays or recovers. **Lost, reported**: some may be gone; a subscriber that misses one is notified before the next message of that channel, by a `gap` notice or by `"recovered": false`, and no position ever names two messages. **—**: not affected by the failure.',
      table(
        ['failure', ...columns.map((setup) => setups[setup])],
        failures.map((failure) => [
          `[${failure.name}](#${anchor(failure.name)})`,
          ...columns.map((setup) => shortOf(failure, setup)),
        ]),
      ),
      ...failures.flatMap(sectionOf),
      '## Replicas',
      replicas,
      '## How the level is found',
      'With `ARQONBUS_REDIS_URL` the bus queries Redis, by `INFO` and `CONFIG GET`; the first matching row applies. Without that setting, and while Redis is unreachable, the level is `memory`. A Redis that is a replica, or is still loading, counts as unreachable.',
      table(
        ['what Redis reports', 'level', 'shown by'],
        derivations.map(({ when, level, proof }) => [when, level, linkTo(proof)]),
      ),
      `The bus queries at every connect (${linkTo(replicaProofs.reconnect)}) and once a second (${linkTo(replicaProofs.lowered)}). Whether the append-only file is on, and whether a first rewrite is under way, is queried with each call at \`disk\` (${linkTo(replicaProofs.fileIsOff)}). Lowering \`appendfsync\` or \`maxmemory-policy\` while Redis runs (\`CONFIG SET\`) lowers the guarantee at once, but for up to a second and a half acknowledgements still have the old level.`,
      synced,
      '## Where the level is reported',
      reports,
      '## After `outcome_unknown`',
      unknown,
    ),
}

const levels = [
  '- `memory`: the process has it. With a position it is in the log: that of the process, or one in a Redis that evicts. With `"position": null` it waits in the outage queue of the process.',
  '- `stored`: Redis has it. What it survives depends on how Redis writes to its disk.',
  '- `disk`: Redis had synced it to its disk before it replied.',
  '- `replicas`, beside the level: how many replicas of Redis had it when it was acknowledged.',
].join('\n')

const replicas = [
  `With \`ARQONBUS_REDIS_REPLICAS\` the bus waits (\`WAIT\`), up to half of \`ARQONBUS_REDIS_TIMEOUT\`, until that many replicas have the appended messages, and the acknowledgement contains the number that had them ([${replicaProofs.reported.sentence}](../../${replicaProofs.reported.file})). A message that asks for replicas, \`"ack": {"level": "stored", "replicas": 1}\`, is refused if fewer are connected or configured, and \`outcome_unknown\` if fewer had it in time. A message that does not ask is acknowledged anyway, with the number that had it, which may be 0.`,
  `A message that a replica has survives the loss of the primary if that replica takes over ([${replicaProofs.survives.sentence}](../../${replicaProofs.survives.file})). Which one takes over is not the bus's decision: with more replicas than configured it may be one without the message ([\`WAIT\` in Redis](https://redis.io/docs/latest/commands/wait/)). Replicas have it in memory; whether it is on their disks is not queried, because a replica without an append-only file would never confirm it. A replica that does not respond lowers the count, not the level (${linkTo(replicaProofs.standsStill)}).`,
  'Configure no more replicas than are always available. While fewer respond, every call waits for that whole time, and under load later calls reach the timeout, so that Redis counts as unreachable. A message that is sent again is acknowledged as a duplicate, with the number of replicas that have it by then; for a private message, that is the number of replicas that have it in all its inboxes.',
].join('\n\n')

const synced = [
  `With \`ARQONBUS_REDIS_REPLICAS\` and a server that has \`WAITAOF\` (Valkey, Redis from 7.2 on) the level \`disk\` requires two confirmations: that of the configuration, and that of the server for each call (${linkTo(replicaProofs.synced)}). If the server does not confirm the sync within an eighth of \`ARQONBUS_REDIS_TIMEOUT\`, the acknowledgement has the level \`stored\`, a message that required \`disk\` is \`outcome_unknown\`, and the configuration is read again at once. So an append-only file that is switched off (${linkTo(replicaProofs.switchedOff)}), and \`appendfsync no\` (${linkTo(replicaProofs.leftToSystem)}), are detected with the next message. \`appendfsync everysec\` is not.`,
  `\`WAITAOF\` raises no level. Under \`everysec\` it could, but there servers reply before they have synced: Valkey 8.0.1 does ([redis/redis#13793](https://github.com/redis/redis/pull/13793) describes the fault, and fixes it in Redis). So \`everysec\` is \`stored\`, with replicas too (${linkTo(replicaProofs.ahead)}).`,
].join('\n\n')

const reports = [
  '- `welcome.durability`: the level at the moment of the connect, for clients that want to know before they publish.',
  '- An acknowledgement: `durability`, the level of this message, and `replicas` if they are configured.',
  '- `storage_unavailable`: `details.asked` and `details.available` are the required and the available level. While Redis is unreachable, `retry_after_ms` is the time to wait before a retry.',
  '- The command `status`: `storage.driver` (`memory` or `redis`) and `storage.durability`, now.',
  '- `/health` reports `degraded` while Redis is unreachable, and `arqonbus_storage_available` is 0.',
].join('\n')

const unknown = [
  'It means that Redis did not reply in time: the message may be stored, or not, or be stored later. If the bus keeps running, it checks when Redis is back, and appends the messages that were not stored, before any newer one and without the publisher; if the bus ends, the message stays as it is. So:',
  [
    '1. Send the same message again, with the same id and `ack`, no later than `dedup_window_ms` after the first time.',
    '2. While Redis is unreachable this is refused with `storage_unavailable`: wait, and try again.',
    '3. Once it is back, the reply has the position: with `"duplicate": true` if the message had been stored, and `false` if it is stored now. Either way the channel has it once.',
  ].join('\n'),
  'A message without `ack` is not deduplicated: if it is sent again, the channel may have it twice.',
].join('\n\n')

function shortOf({ cells }: Failure, setup: Setup): string {
  return cells.find((cell) => cell.setups.includes(setup))?.short ?? '—'
}

function sectionOf({ name, about, cells }: Failure): string[] {
  return [`### ${name}`, about, table(['acknowledged as', 'what happens to it', 'shown by'], cells.map(rowOf))]
}

function rowOf({ setups: those, acknowledgedAs, short, text, proofs, derived }: Cell): string[] {
  const shown = [...proofs.map(linkTo), ...(derived === undefined ? [] : [derived])]
  return [acknowledgedAs ?? those.map((setup) => setups[setup]).join('; '), `**${short}.** ${text}`, shown.join('<br>')]
}

function linkTo({ file, sentence }: Proof): string {
  return `[${sentence}](../../${file})`
}

/** The anchor that GitHub generates for a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-')

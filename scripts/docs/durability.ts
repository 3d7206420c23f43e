/** `docs/reference/durability.md`: for each level what survives which failure, and which test shows it. */
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

/** The reference of levels. */
export const durabilityPage: Page = {
  path: 'docs/reference/durability.md',
  render: () =>
    page(
      generatedFrom('`scripts/docs/durability-table.ts`'),
      '# Durability',
      'An acknowledgement names a level: where the message is. No level is named that the log did not promise when it was last asked, and a level that cannot be had is refused (`storage_unavailable`), not lowered. This page says what each level survives. Every line of it names the test that shows it; `npm test` and `npm run test:faults` run them. Where a row does not depend on how Redis syncs, they run with `everysec`.',
      levels,
      '## What survives what',
      'Of messages that were acknowledged before the failure. **Kept**: each is in the history at its position, and reaches every subscriber that stays or recovers. **Lost, reported**: some may be gone; a subscriber that misses one is notified before the next message of that channel, by a `gap` notice or by `"recovered": false`, and no position ever names two messages. **—**: the failure has nothing to do with it.',
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
      'With `ARQONBUS_REDIS_URL` the bus asks Redis, by `INFO` and `CONFIG GET`; the first line that fits holds. Without that setting, and while Redis is away, the level is `memory`. A Redis that follows another one, or is still loading, counts as away.',
      table(
        ['what Redis says', 'level', 'shown by'],
        derivations.map(({ when, level, proof }) => [when, level, linkTo(proof)]),
      ),
      `It asks at every connect (${linkTo(replicaProofs.reconnect)}) and once a second (${linkTo(replicaProofs.lowered)}). Whether the append-only file is on, and whether a first rewrite is under way, is asked with each call at \`disk\` (${linkTo(replicaProofs.fileIsOff)}). Lowering \`appendfsync\` or \`maxmemory-policy\` while Redis runs (\`CONFIG SET\`) lowers the promise at once, and for up to a second and a half acknowledgements still name the old level.`,
      synced,
      '## Where the level is reported',
      told,
      '## After `outcome_unknown`',
      unknown,
    ),
}

const levels = [
  '- `memory`: the process has it. With a position it is in the log: that of the process, or one in a Redis that evicts. With `"position": null` it waits in the process for a Redis that is away.',
  '- `stored`: Redis has it. What that is worth depends on how Redis writes to its disk.',
  '- `disk`: Redis had synced it to its disk before it answered.',
  '- `replicas`, beside the level: how many replicas of Redis had it when it was acknowledged.',
].join('\n')

const replicas = [
  `With \`ARQONBUS_REDIS_REPLICAS\` the bus waits (\`WAIT\`), up to half of \`ARQONBUS_REDIS_TIMEOUT\`, until so many replicas have what was appended, and the acknowledgement says how many had it ([${replicaProofs.told.sentence}](../../${replicaProofs.told.file})). A message that asks for replicas, \`"ack": {"level": "stored", "replicas": 1}\`, is refused where fewer are connected or waited for, and \`outcome_unknown\` where fewer had it in time. One that does not ask is acknowledged all the same, with the number that it got, which may be 0.`,
  `A message that a replica has survives the loss of the primary if that replica takes over ([${replicaProofs.survives.sentence}](../../${replicaProofs.survives.file})). Which one takes over is not the bus's decision: with more replicas than were waited for it may be one without the message ([what Redis says of \`WAIT\`](https://redis.io/docs/latest/commands/wait/)). Replicas have it in memory; whether it is on their disks is not asked, because one without an append-only file would never say so. One that does not answer lowers the count and not the level (${linkTo(replicaProofs.standsStill)}).`,
  'Ask for no more replicas than are always there. While fewer answer, every call waits for the whole of that time, and under load those behind it run into the timeout, so that Redis counts as away. A message that is sent again is answered as a duplicate with the replicas that have it by then; for a private message they are those that have it in all its inboxes.',
].join('\n\n')

const synced = [
  `With \`ARQONBUS_REDIS_REPLICAS\` and a server that has \`WAITAOF\` (Valkey, Redis from 7.2 on) the level \`disk\` takes two words: the configuration's, and the server's for each call (${linkTo(replicaProofs.synced)}). Where it does not say within an eighth of \`ARQONBUS_REDIS_TIMEOUT\` that it has synced, the acknowledgement says \`stored\`, a message that asked for \`disk\` is \`outcome_unknown\`, and the configuration is read again at once. So an append-only file that is switched off (${linkTo(replicaProofs.switchedOff)}), and \`appendfsync no\` (${linkTo(replicaProofs.leftToSystem)}), are found out at the next message. \`appendfsync everysec\` is not.`,
  `\`WAITAOF\` makes no level higher. Under \`everysec\` it would have to, but there servers answer it before they have synced: Valkey 8.0.1 does ([redis/redis#13793](https://github.com/redis/redis/pull/13793) describes the fault, and mends it in Redis). So \`everysec\` is \`stored\`, with replicas too (${linkTo(replicaProofs.ahead)}).`,
].join('\n\n')

const told = [
  '- `welcome.durability`: the level at the moment of the connect, for clients that want to know before they publish.',
  '- An acknowledgement: `durability`, the level of this message, and `replicas` where they are waited for.',
  '- `storage_unavailable`: `details.asked` and `details.available` say what was asked for and what is available. While Redis is unreachable, `retry_after_ms` says when to retry.',
  '- The command `status`: `storage.driver` (`memory` or `redis`) and `storage.durability`, now.',
  '- `/health` says `degraded` while Redis is unreachable, and `arqonbus_storage_available` is 0.',
].join('\n')

const unknown = [
  'It means that Redis did not answer in time: the message may be stored, or not, or be stored later. Where the bus lives on, it finds out when Redis is back, and appends what was not done, before anything newer and without the publisher; where it does not, nobody does. So:',
  [
    '1. Send the same message again, with the same id and `ack`, no later than `dedup_window_ms` after the first time.',
    '2. While Redis is away this is refused with `storage_unavailable`: wait, and go on trying.',
    '3. Once it is back, the answer is the position: with `"duplicate": true` where the message had been stored, without it where it is stored now. Either way the channel has it once.',
  ].join('\n'),
  'A message without `ack` is not deduplicated: if it is sent again, the channel may have it twice.',
].join('\n\n')

function shortOf({ cells }: Failure, setup: Setup): string {
  return cells.find((cell) => cell.setups.includes(setup))?.short ?? '—'
}

function sectionOf({ name, about, cells }: Failure): string[] {
  return [`### ${name}`, about, table(['acknowledged as', 'what becomes of it', 'shown by'], cells.map(rowOf))]
}

function rowOf({ setups: those, acknowledgedAs, short, text, proofs, derived }: Cell): string[] {
  const shown = [...proofs.map(linkTo), ...(derived === undefined ? [] : [derived])]
  return [acknowledgedAs ?? those.map((setup) => setups[setup]).join('; '), `**${short}.** ${text}`, shown.join('<br>')]
}

function linkTo({ file, sentence }: Proof): string {
  return `[${sentence}](../../${file})`
}

/** As GitHub makes them of headings. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-')

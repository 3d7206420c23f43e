/**
 * What survives which failure at which level, with its proofs: the table behind `docs/reference/durability.md`. A test
 * checks that every cell has a proof, and that the named tests exist.
 */

/** The level of the acknowledgement, and the configuration of Redis: the columns. */
export const setups = {
  memory: '`memory`, without Redis',
  held: '`memory`, while Redis is unreachable',
  everysec: '`stored`, `everysec`',
  no: '`stored`, `appendfsync no`',
  none: '`stored`, no append-only file',
  disk: '`disk`',
} as const

/** A column. */
export type Setup = keyof typeof setups

/** All that keep messages in Redis. */
export const withRedis: readonly Setup[] = ['everysec', 'no', 'none', 'disk']

/** A test, by its file and its title. */
export type Proof = { readonly file: string; readonly sentence: string }

/** What happens to messages that were acknowledged before a failure. */
export type Cell = {
  readonly setups: readonly Setup[]
  /** The level of the acknowledgement, if it is not that of the column. */
  readonly acknowledgedAs?: string
  /** The summary for the overview. */
  readonly short: 'kept' | 'lost, reported' | 'lost' | 'kept or counted' | 'no such level'
  readonly text: string
  readonly proofs: readonly Proof[]
  /** For cells that no test can show: the basis of the conclusion, with its source. */
  readonly derived?: string
}

/** A failure: a row. A column without a cell is not affected by it. */
export type Failure = { readonly name: string; readonly about: string; readonly cells: readonly Cell[] }

const proofsIn =
  (file: string) =>
  (sentence: string): Proof => ({ file, sentence })
const byProcesses = proofsIn('test/faults/redis/faults/processes.ts')
const byLink = proofsIn('test/faults/redis/faults/link.ts')
const byData = proofsIn('test/faults/redis/faults/data.ts')
const byFound = proofsIn('test/faults/redis/faults/found.ts')
const byClocks = proofsIn('test/faults/redis/faults/clocks.ts')
const byDisk = proofsIn('test/faults/redis/faults/disk.ts')
const byKeys = proofsIn('test/faults/redis/faults/keys.ts')
const byRewrites = proofsIn('test/redis/rewrites.test.ts')
const bySurvival = proofsIn('test/redis/survival.test.ts')
const byAway = proofsIn('test/redis/away.test.ts')
const bySynced = proofsIn('test/redis/synced.test.ts')
/** The suite that every log must pass: a file for each part of it. */
const bySuite = (part: string) => proofsIn(`packages/testing/src/suites/log/${part}.ts`)
const byLevels = proofsIn('test/redis/levels.test.ts')
/** How levels are derived. */
export const byDerived = proofsIn('test/redis/derived.test.ts')

const persistence =
  '[what Redis says of its persistence](https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/)'
const tornFromMemory = proofsIn('test/faults/memory-log.test.ts')(
  'after a kill -9 every client returns, is notified of the gap before anything else and gets nothing twice',
)
const heldIsAppended = byAway(
  'while Redis is unreachable a message at level memory is delivered as provisional, and later with its position',
)
const unsyncedIsLost = byProcesses(
  'a kill -9 of a Redis that syncs every second loses only the last seconds, and every gap is announced',
)
const slowDiskLoses = proofsIn('test/redis/slow-disk.test.ts')(
  'a slow disk with everysec never makes an acknowledgement claim `disk`, and lost messages give a gap notice',
)
const allIsLost = bySurvival(
  'a kill -9 of a Redis without an append-only file loses everything, and all subscribers are notified',
)

/** The rows. */
export const failures: readonly Failure[] = [
  {
    name: 'The bus is killed',
    about: '`kill -9`, or its machine fails.',
    cells: [
      {
        setups: ['memory'],
        short: 'lost, reported',
        text: 'The log ends with the process. A client that reconnects with a position gets `recovered: false`, `reset`.',
        proofs: [tornFromMemory],
      },
      {
        setups: ['held'],
        short: 'lost',
        text: 'The outage queue ends with the process. `"position": null` had shown that the message was in no log; clients that received the provisional copy get no notice.',
        proofs: [bySurvival('messages queued while Redis is unreachable are lost with a server that is killed')],
      },
      {
        setups: withRedis,
        short: 'kept',
        text: 'Redis has the message, and its room and channel, or the session with its inbox. Clients reconnect to this bus after its restart, or to another one on the same Redis.',
        proofs: [
          byFound('a kill -9 of the server loses no channel, room, session or inbox with an acknowledged message'),
          byProcesses('a kill -9 of the server loses nothing that was stored, and clients notice only the wait'),
          byProcesses('a kill -9 of one of two nodes loses nothing, and clients of the other node are not affected'),
          bySurvival(
            'a kill -9 of the server loses nothing from a Redis that leaves syncing to the system or has no append-only file',
          ),
        ],
      },
    ],
  },
  {
    name: 'The bus is restarted',
    about: 'SIGTERM or SIGINT: it drains first.',
    cells: [
      {
        setups: ['memory'],
        short: 'lost, reported',
        text: 'The same as when it is killed.',
        proofs: [tornFromMemory],
      },
      {
        setups: ['held'],
        short: 'kept or counted',
        text: 'The drain waits for Redis, up to `ARQONBUS_DRAIN_TIMEOUT`. Messages that could not be stored by then are lost, and counted in the log line `messages_lost`.',
        proofs: [
          byAway('a drain waits until messages acknowledged during an outage are stored'),
          bySurvival('a drain that ends before Redis is back logs how many messages are lost'),
        ],
      },
      {
        setups: withRedis,
        short: 'kept',
        text: 'Redis has it. How Redis syncs does not matter for the next process.',
        proofs: [
          byProcesses('a rolling restart under load loses nothing and refuses nothing permanently'),
          proofsIn('test/redis/kept.test.ts')(
            'a message is acknowledged as stored, delivered with its position and still there after a restart',
          ),
        ],
      },
    ],
  },
  {
    name: 'Redis is killed',
    about:
      '`kill -9` of `redis-server` or `valkey-server`, which is started again with its files. The machine keeps running, and writes what Redis had passed to it: this does not show that Redis had synced it.',
    cells: [
      {
        setups: ['held'],
        short: 'kept',
        text: 'It waits in the outage queue, and is appended when Redis is back.',
        proofs: [heldIsAppended],
      },
      {
        setups: ['everysec'],
        short: 'lost, reported',
        text: 'Usually nothing. If the disk is slow, Redis replies before writing, and up to two seconds are lost.',
        proofs: [unsyncedIsLost, slowDiskLoses],
      },
      {
        setups: ['no'],
        short: 'kept',
        text: 'Redis passes its writes to the system before it replies, and the system keeps running.',
        proofs: [
          bySurvival('a kill -9 of a Redis that leaves syncing to the system loses nothing that it had acknowledged'),
        ],
      },
      {
        setups: ['none'],
        short: 'lost, reported',
        text: 'Everything since the last snapshot (`save`); without snapshots, everything.',
        proofs: [allIsLost],
      },
      {
        setups: ['disk'],
        short: 'kept',
        text: 'Also if the bus is killed at the same moment.',
        proofs: [
          byProcesses('a kill -9 of a Redis that syncs always loses nothing acknowledged as `disk`'),
          byProcesses('a kill -9 of server and Redis loses nothing acknowledged as `disk`'),
          byProcesses('a kill -9 of a Valkey that syncs always loses nothing acknowledged as `disk`'),
          bySynced('after a kill -9 Valkey has every message that was acknowledged as `disk`'),
        ],
      },
    ],
  },
  {
    name: 'The append-only file is switched on, or rewritten, and Redis is killed',
    about:
      'From the moment when the file is switched on (`CONFIG SET appendonly yes`, or a replica that has just taken over) until its first rewrite has ended, a restart loads nothing from it. Later rewrites lose nothing. So no message has the level `disk` before that first rewrite has ended.',
    cells: [
      {
        setups: ['none'],
        short: 'lost, reported',
        text: 'Also during the first rewrite. Messages acknowledged after it have the level `disk` if Redis always syncs.',
        proofs: [
          byDisk(
            'a kill -9 of a Redis whose append-only file was just switched on loses nothing acknowledged as `disk`',
          ),
        ],
      },
      {
        setups: ['disk'],
        short: 'kept',
        text: 'Each append call asks Redis for the state of its append-only file, so no acknowledgement has the level `disk` because of an outdated reply.',
        proofs: [
          byDisk(
            'a kill -9 of a Redis whose append-only file was just switched on loses nothing acknowledged as `disk`',
          ),
          byDisk(
            'a kill -9 of a Redis that rewrites an established append-only file loses nothing acknowledged as `disk`',
          ),
          byRewrites(
            'a first rewrite after the file was switched off and on between two checks is not taken for a later one',
          ),
        ],
      },
    ],
  },
  {
    name: 'Redis does not respond',
    about: 'It is stopped, unreachable, or disconnected, for longer than `ARQONBUS_REDIS_TIMEOUT`.',
    cells: [
      {
        setups: ['held'],
        short: 'kept',
        text: 'It waits in the outage queue, up to `ARQONBUS_QUEUED_BYTES`; beyond that messages are refused, and no accepted one is dropped.',
        proofs: [
          heldIsAppended,
          byAway(
            'the outage queue is bounded: when it is full, publishes are refused and counted, and nothing accepted is lost',
          ),
        ],
      },
      {
        setups: withRedis,
        short: 'kept',
        text: 'Redis lost nothing, so it does not matter how it syncs. What was in flight is `outcome_unknown`: it is stored once or not at all, and publishing again with the same id settles which.',
        proofs: [
          byLink(
            'a Redis that stops for longer than the timeout is detected, and messages in flight are settled by their ids',
          ),
          byLink('a stalled link to Redis is detected, and messages in flight are stored once or not at all'),
          byLink('connections to Redis that are reset again and again lose nothing and store nothing twice'),
          byAway('a Redis that does not reply is detected, and the same id settles a message with an unknown outcome'),
        ],
      },
    ],
  },
  {
    name: 'The machine of Redis loses its power',
    about:
      'Or its kernel fails: everything that was not synced to the disk is lost. No test here can show that; it follows from the documentation of Redis.',
    cells: [
      {
        setups: ['held'],
        short: 'kept',
        text: 'It waits in the outage queue, if the bus runs on another machine.',
        proofs: [heldIsAppended],
      },
      {
        setups: ['everysec'],
        short: 'lost, reported',
        text: 'The last second; the last two if the disk is slow.',
        proofs: [unsyncedIsLost],
        derived: `How much: ${persistence}, \`appendfsync everysec\`. That the loss is reported is shown by a Redis that is killed.`,
      },
      {
        setups: ['no'],
        short: 'lost, reported',
        text: 'What the system had not written: on Linux normally up to 30 seconds.',
        proofs: [unsyncedIsLost],
        derived: `How much: ${persistence}, \`appendfsync no\`. That the loss is reported is shown by a Redis that is killed.`,
      },
      {
        setups: ['none'],
        short: 'lost, reported',
        text: 'Everything since the last snapshot.',
        proofs: [allIsLost],
        derived: `How much: ${persistence}, snapshots.`,
      },
      {
        setups: ['disk'],
        short: 'kept',
        text: 'If the disk keeps what it has confirmed.',
        proofs: [],
        derived: `${persistence}, \`appendfsync always\`: one sync for each batch of commands, before their replies.`,
      },
    ],
  },
  {
    name: 'The memory of Redis is full',
    about: '`maxmemory` is reached, with `maxmemory-policy noeviction`.',
    cells: [
      {
        setups: ['held'],
        short: 'kept',
        text: 'A full Redis counts as unreachable: messages that require only `memory` are queued until there is room.',
        proofs: [
          byData('a full Redis refuses messages, keeps what it has and accepts messages again when there is room'),
        ],
      },
      {
        setups: withRedis,
        short: 'kept',
        text: 'Redis keeps what it has, and further messages are refused: `storage_unavailable`.',
        proofs: [
          byData('a full Redis refuses messages, keeps what it has and accepts messages again when there is room'),
        ],
      },
    ],
  },
  {
    name: 'Redis evicts',
    about:
      'Any `maxmemory-policy` but `noeviction`: Redis may evict any key at any moment. Acknowledgements never have a higher level than `memory`, however Redis syncs.',
    cells: [
      {
        setups: withRedis,
        acknowledgedAs: '`memory`, with a position',
        short: 'no such level',
        text: 'A message that Redis evicted is lost, and the loss is reported. The ids for deduplication may be evicted too: a message that is sent again may then be stored twice.',
        proofs: [
          byLevels('the level is no more than `memory` if Redis may evict keys'),
          bySurvival('every subscriber that misses messages evicted by Redis is notified'),
        ],
      },
    ],
  },
  {
    name: 'A replica takes over that lacks the tail',
    about: 'Replication is asynchronous: the last messages that the primary acknowledged may be on no replica.',
    cells: [
      {
        setups: withRedis,
        short: 'lost, reported',
        text: 'The tail. `disk` means the disk of the primary only; `replicas` covers this case, see below.',
        proofs: [
          byData(
            'when a replica without the tail takes over, every subscriber that had the tail learns that it is gone',
          ),
          byData(
            'when a replica without the tail takes over, every subscriber that returns later learns that the tail is gone',
          ),
        ],
      },
    ],
  },
  {
    name: 'Redis is emptied',
    about: '`FLUSHALL`, or deleted keys.',
    cells: [
      {
        setups: withRedis,
        short: 'lost, reported',
        text: 'Everything. No position is reused: new positions are later than all earlier ones.',
        proofs: [
          byData(
            'after FLUSHALL every connected subscriber that misses messages gets a gap notice, and nothing is invented',
          ),
          byData(
            'after FLUSHALL every returning subscriber that misses messages gets a gap notice, and nothing is invented',
          ),
        ],
      },
    ],
  },
  {
    name: 'A clock is set',
    about: 'That of Redis or of the bus, by hours or days, forwards or backwards.',
    cells: [
      {
        setups: ['memory'],
        short: 'lost, reported',
        text: 'There is only one clock: set ahead by more than the retention, it makes everything expire. Positions never decrease.',
        proofs: [
          bySuite('keeping')('a message is removed when its retention is over, by a read or by a sweep'),
          bySuite('recovering')(
            'a removed position returns the start of the log and the base that all kept messages follow',
          ),
          bySuite('order')('the time in positions never decreases, however the clock is set'),
        ],
      },
      {
        setups: withRedis,
        short: 'kept',
        text: 'Expiry uses the lesser of the two clocks, so a clock that is ahead removes nothing; positions never decrease.',
        proofs: [
          byClocks('a Redis clock that is set two hours ahead and back expires nothing, and positions never decrease'),
          byClocks('a Redis clock that is set two hours back and forward again changes nothing'),
          byClocks('a server clock that is set two hours back, ahead and right again changes nothing'),
          byClocks(
            'a server clock that is set eight days ahead for some seconds removes no channel and no message of one',
          ),
          byClocks(
            'a Redis clock that is set eight days ahead for some seconds removes no channel and no message of one',
          ),
        ],
      },
    ],
  },
  {
    name: 'Data that the bus needs in Redis is removed',
    about: '`SCRIPT FLUSH`, `CLIENT KILL`, deleted heads of channels.',
    cells: [
      {
        setups: withRedis,
        short: 'kept',
        text: 'Scripts are loaded again, connections are opened again, and heads are rebuilt from their streams.',
        proofs: [
          byData('scripts that Redis has lost are loaded again, and no request is refused'),
          byData('lost heads of channels are rebuilt from their streams'),
          byLink('a connection that Redis ends by CLIENT KILL is restored, and nothing is lost'),
        ],
      },
    ],
  },
  {
    name: 'A key of a channel is overwritten',
    about: 'Another program has written to it.',
    cells: [
      {
        setups: withRedis,
        short: 'kept',
        text: 'In every other channel. The damaged channel is refused (`storage_unavailable`, with `"reason": "damaged"`), and a log line names the key, until the key is removed.',
        proofs: [byKeys('a key of another type in place of one channel affects no other channel')],
      },
    ],
  },
]

/** How the level follows from what Redis reports about itself; the first matching row applies. */
export const derivations: readonly { readonly when: string; readonly level: string; readonly proof: Proof }[] = [
  {
    when: '`maxmemory-policy` is not `noeviction`',
    level: '`memory`',
    proof: byLevels('the level is no more than `memory` if Redis may evict keys'),
  },
  {
    when: 'Redis hides its configuration (`CONFIG` is not allowed)',
    level: '`stored`',
    proof: byDerived(
      'a Redis that hides its configuration has the level `stored` if it evicts nothing, and `memory` otherwise',
    ),
  },
  {
    when: '`appendonly` is not `yes`',
    level: '`stored`',
    proof: byDerived('a Redis without an append-only file has the level `stored`'),
  },
  {
    when: '`appendfsync` is `everysec`',
    level: '`stored`',
    proof: byLevels(
      'the level is `stored` if Redis syncs every second, and a request for `disk` is refused with what is available',
    ),
  },
  {
    when: '`appendfsync` is `no`',
    level: '`stored`',
    proof: byDerived('a Redis that leaves syncing to the system has the level `stored`'),
  },
  {
    when: '`no-appendfsync-on-rewrite` is `yes`',
    level: '`stored`',
    proof: byDerived('a Redis that does not sync while it rewrites its file has the level `stored`'),
  },
  {
    when: 'A rewrite is in progress or scheduled, and since the last moment without one the file was switched on, the role of Redis changed, or the bus connected',
    level: '`stored`',
    proof: byRewrites(
      'nothing is `disk` during the first rewrite after the file is switched on, and everything is after it',
    ),
  },
  {
    when: '`appendonly yes`, `appendfsync always`, and the last write to the file succeeded',
    level: '`disk`',
    proof: byLevels('the level is `disk` if Redis syncs before each reply, and then `disk` can be requested'),
  },
]

/** Proofs about `replicas`. */
export const replicaProofs = {
  reported: byLevels(
    'the level is reported with the number of replicas that have the message, if replicas are required',
  ),
  survives: bySurvival('a message that a replica has survives the primary if that replica takes over'),
  synced: bySynced(
    'a synced message is acknowledged as `disk` with the replicas that have it, whether these sync or not',
  ),
  switchedOff: bySynced('no message is `disk` from the first one after the append-only file was switched off'),
  leftToSystem: bySynced('no message is `disk` from the first one after syncing was left to the system'),
  ahead: bySynced(
    'a Valkey that syncs every second is `stored` and is not asked what is synced, as its reply would be early',
  ),
  standsStill: bySynced('a stalled replica counts as not having a message that the primary has synced'),
  reconnect: byLevels('the level is determined again at each reconnect'),
  fileIsOff: byRewrites('an append-only file that was switched off is noticed with the next message'),
  lowered: byLevels('the level soon follows a change of the Redis configuration, down and up again'),
} as const

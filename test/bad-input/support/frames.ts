/** Arbitrary frames: noise, JSON, and envelopes that are valid, nearly valid, or broken in one place. */
import { commands } from '@arqonbus/protocol'
import fc from 'fast-check'

/** The id of the sender. */
export const SENDER = 'fuzzer'
/** The channel to which the sender is subscribed. */
export const HERE = { room: 'science', channel: 'explore' } as const

/** A placeholder for an id: `idOf(7)` replaces it, so that outcomes can be distinguished. */
export const ID = 'arq_the-id-of-this-frame'

const often = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight: number) =>
  fc.oneof({ arbitrary: usual, weight }, { arbitrary: odd, weight: 1 })

/** Values of the wrong type for a field. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    '',
    '*',
    'pm',
    'arqonbus',
    'integriguard',
    'control',
    'inbox',
    'telemetry-stream',
    '__proto__',
    'constructor',
    'a'.repeat(200),
    '1-1',
    '\ud800',
    '2026-02-30T00:00:00Z',
    '1.1',
    1e300,
    -0,
    [[]],
    {},
  ),
)

const metadata = fc.record(
  {
    ack: often<unknown>(
      fc.boolean(),
      fc.oneof(odd, fc.constantFrom<unknown>('memory', 'disk', { level: 'memory' }, { replicas: 3 })),
      4,
    ),
    to: often<unknown>(
      fc.constantFrom<unknown>(SENDER, [SENDER]),
      fc.oneof(odd, fc.constantFrom<unknown>('nobody', [SENDER, 'nobody'])),
      4,
    ),
    cause: often<unknown>(fc.constant('arq_1'), odd, 30),
    key: often<unknown>(fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }), odd, 30),
    traceparent: often<unknown>(fc.constant('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'), odd, 30),
    users: fc.jsonValue({ maxDepth: 3 }),
    position: odd,
    arq_own: odd,
  },
  { requiredKeys: [], noNullPrototype: true },
)

/** Keys of the server are rare, or no metadata would be valid. */
const usualMetadata = metadata.map(({ position: _, arq_own: __, ...usual }) => usual)

/**
 * Parameters by name, without `since`, because that delivers old messages again, and here each frame has its own
 * outcome.
 */
const parameterValues: Record<string, fc.Arbitrary<unknown>> = {
  room: often<unknown>(fc.constant(HERE.room), odd, 30),
  channel: often<unknown>(fc.constantFrom<unknown>(HERE.channel, 'science:explore'), odd, 30),
  channels: often<unknown>(fc.constant([{ channel: 'science:explore' }]), odd, 15),
  limit: often<unknown>(fc.integer({ min: 1, max: 1000 }), odd, 20),
  order: often<unknown>(fc.constantFrom('asc', 'desc'), odd, 20),
  cursor: often<unknown>(fc.constant('1'), odd, 20),
  screen_name: often<unknown>(fc.string({ maxLength: 20 }), odd, 20),
  type: fc.constantFrom('general', 'private', 'pm'),
  metadata: odd,
  client_id: fc.constant(SENDER),
}

const commandNames = [
  'ping',
  'status',
  'list_channels',
  'list_clients',
  'channel_info',
  'history',
  'join_channel',
  'create_channel',
  'delete_channel',
  'update_profile',
  'pause_room',
  'disconnect_client',
] as const

const parametersOf = (name: (typeof commandNames)[number]) => {
  const known = Object.keys(commands[name].parameters.properties).filter((key) => key in parameterValues)
  const values = Object.fromEntries(known.map((key) => [key, parameterValues[key]!]))
  return fc.record(values, { requiredKeys: [], noNullPrototype: true })
}

const command = fc.oneof(
  {
    arbitrary: fc
      .constantFrom(...commandNames)
      .chain((name) =>
        fc.record(
          { name: fc.constant(name), parameters: parametersOf(name) },
          { requiredKeys: ['name'], noNullPrototype: true },
        ),
      ),
    weight: 6,
  },
  { arbitrary: fc.record({ name: odd, parameters: odd }, { requiredKeys: [], noNullPrototype: true }), weight: 1 },
)

const content = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 4 }), {
  maxKeys: 5,
  noNullPrototype: true,
})
const telemetry = fc.record(
  { eventType: often<unknown>(fc.constant('fuzzed'), odd, 20), payload: often<unknown>(content, odd, 20) },
  { noNullPrototype: true },
)

const base = { version: '1.0', id: ID, from: SENDER, timestamp: '2026-11-21T12:00:00Z' }

/** Envelopes that are valid except for odd values in their metadata or parameters. */
const envelope: fc.Arbitrary<Record<string, unknown>> = fc
  .oneof(
    fc.record({
      type: fc.constant('event'),
      room: fc.constant(HERE.room),
      channel: often<string>(fc.constant(HERE.channel), fc.constantFrom('elsewhere', '*'), 4),
      payload: content,
    }),
    fc.record({ type: fc.constant('private'), ...address(HERE.room, 'pm'), payload: content }),
    fc.record({ type: fc.constant('telemetry'), ...address('integriguard', 'telemetry-stream'), payload: telemetry }),
    fc.record({ type: fc.constant('command'), ...address(HERE.room, HERE.channel), payload: command }),
    fc.record({
      type: fc.constantFrom('system', 'command_response', 'nonsense'),
      ...address(HERE.room, HERE.channel),
      payload: content,
    }),
  )
  .chain((fields) =>
    fc.option(often(usualMetadata, metadata, 15), { nil: undefined }).map((chosen) => {
      const needed = fields.type === 'private' && chosen?.to === undefined ? { ...chosen, to: SENDER } : chosen
      return { ...base, ...fields, ...(needed !== undefined && { metadata: needed }) }
    }),
  )

function address(room: string, channel: string) {
  return { room: fc.constant(room), channel: fc.constant(channel) }
}

/** Removes, changes, adds or repeats a field, or changes the order. */
const mutatedFields = fc
  .tuple(
    envelope,
    fc.constantFrom('drop', 'change', 'add', 'double', 'shuffle'),
    fc.nat(),
    odd,
    fc.string({ maxLength: 10 }),
  )
  .map(([fields, how, at, value, name]) => {
    const keys = Object.keys(fields)
    const key = keys[at % keys.length]!
    const entries = Object.entries(fields)
    if (how === 'drop') return textOf(entries.filter(([one]) => one !== key))
    if (how === 'change') return textOf(entries.map(([one, old]) => [one, one === key ? value : old]))
    if (how === 'add') return textOf([...entries, [name, value]])
    if (how === 'double') return textOf([...entries, [key, fields[key]]])
    return textOf([...entries.slice(at % entries.length), ...entries.slice(0, at % entries.length)])
  })

const textOf = (entries: readonly (readonly [string, unknown])[]): string =>
  `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`

/** Removes, repeats or replaces a piece of the text. */
const mutatedText = fc
  .tuple(
    envelope,
    fc.nat(),
    fc.nat({ max: 12 }),
    fc.constantFrom('cut', 'repeat', 'replace', 'end'),
    fc.string({ maxLength: 4, unit: 'binary' }),
  )
  .map(([fields, place, length, how, other]) => {
    const text = JSON.stringify(fields)
    const start = place % text.length
    const end = start + length
    if (how === 'cut') return text.slice(0, start) + text.slice(end)
    if (how === 'repeat') return text.slice(0, end) + text.slice(start)
    if (how === 'replace') return text.slice(0, start) + other + text.slice(end)
    return text.slice(0, start)
  })

/** Any frame. WebSocket text cannot contain lone surrogates. */
export const frameText: fc.Arbitrary<string> = fc
  .oneof(
    { arbitrary: envelope.map((fields) => JSON.stringify(fields)), weight: 8 },
    { arbitrary: mutatedFields, weight: 4 },
    { arbitrary: mutatedText, weight: 4 },
    { arbitrary: fc.json({ maxDepth: 4 }), weight: 1 },
    { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }), weight: 1 },
  )
  .map((text) => text.toWellFormed())

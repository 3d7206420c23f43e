/** Arbitrary frames: noise, JSON, nearly valid envelopes and valid ones, in every spelling that JSON allows. */
import fc from 'fast-check'

const often = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 12): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight }, { arbitrary: odd, weight: 1 })

const oneOf = (...texts: string[]) => fc.constantFrom(...texts)

const space = often(oneOf('', '', ''), oneOf(' ', '  ', '\n', '\t', '\r\n', ' \n\t'), 4)

/** A character of a string, in any spelling. */
const piece = fc.oneof(
  oneOf(
    'a',
    'b',
    '"',
    '\\',
    '/',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ' ',
    'metadata',
    ',"metadata":',
    'é',
    '🚀',
    '\u2028',
    '\x7f',
  ).map((text) => JSON.stringify(text).slice(1, -1)),
  oneOf(
    '\\u0061',
    '\\u0022',
    '\\u005c',
    '\\/',
    '\\n',
    '\\u0000',
    '\\ud83d\\ude80',
    '\\ud83d',
    '\\ude80',
    '\\u00E9',
    '\\\\',
    '\\"',
  ),
)

const stringText = fc.array(piece, { maxLength: 6 }).map((pieces) => `"${pieces.join('')}"`)

const scalarText = fc.oneof(
  oneOf('null', 'true', 'false', '0', '-0', '1.0', '9007199254740993', '1e400', '-1.5E-3', '17'),
  stringText,
  fc.double().map((value) => JSON.stringify(value)),
)

const keyText = fc.oneof(
  stringText,
  oneOf(
    '"a"',
    '"b"',
    '"\\u0061"',
    '"metadata"',
    '"payload"',
    '"id"',
    '"__proto__"',
    '"constructor"',
    '"arq_x"',
    '"position"',
    '"1"',
    '"0"',
  ),
)

/** The text of any JSON value, with repeated keys and unusual spellings. */
export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, depthIdentifier: 'json' }, scalarText, tie('list'), tie('object')),
  list: enclosed('[', ']', tie('value')),
  object: enclosed(
    '{',
    '}',
    fc
      .tuple(keyText, space, space, tie('value'))
      .map(([key, before, behind, value]) => `${key}${before}:${behind}${value}`),
  ),
})).value

function enclosed(open: string, close: string, item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(item, { maxLength: 4, depthIdentifier: 'json' }), space, space)
    .map(([items, before, behind]) => `${open}${before}${items.join(`${behind},${before}`)}${behind}${close}`)
}

const objectText = (keys: fc.Arbitrary<string>, values: (key: string) => fc.Arbitrary<string>) =>
  fc
    .tuple(
      fc.array(
        keys.chain((key) => values(key).map((value) => [key, value] as const)),
        { maxLength: 5 },
      ),
      space,
      space,
    )
    .map(
      ([members, before, behind]) =>
        `{${before}${members.map(([key, value]) => `${key}:${value}`).join(`${behind},${before}`)}${behind}}`,
    )

const payloadText = objectText(keyText, () => valueText)

const ID = fc.stringMatching(/^arq_[A-Za-z0-9_-]{1,12}$/)
const CLIENT = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,8}$/)
const NAME = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,8}$/)
const quoted = (text: fc.Arbitrary<string>) => text.map((one) => JSON.stringify(one))
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** Values of the metadata keys of the bus: mostly valid. */
const busValues = new Map<string, fc.Arbitrary<string>>(
  Object.entries({
    ack: oneOf(
      'true',
      'false',
      '"memory"',
      '"disk"',
      '{}',
      '{"level":"stored"}',
      '{"replicas":2}',
      '{"replicas":16.0}',
      '{"level":"disk","replicas":1e0}',
      '{"level":1,"level":"disk"}',
    ),
    to: fc.oneof(
      quoted(CLIENT),
      fc.array(quoted(CLIENT), { minLength: 1, maxLength: 4 }).map((ids) => `[${ids.join()}]`),
    ),
    cause: quoted(ID),
    key: quoted(fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' })),
    traceparent: oneOf(
      `"00-${TRACE}"`,
      `"01-${TRACE}-x"`,
      `"00-${TRACE}-x"`,
      `"ff-${TRACE}"`,
      `"00-${'0'.repeat(32)}-00f067aa0ba902b7-01"`,
    ),
  }),
)

const metadataKey = often(
  oneOf(
    '"tag"',
    '"a"',
    '"b"',
    '"ack"',
    '"to"',
    '"cause"',
    '"key"',
    '"traceparent"',
    '"\\u0061ck"',
    '"t\\u006f"',
    '"__proto__"',
    '""',
    '"metadata"',
  ),
  oneOf('"position"', '"provisional"', '"arq_x"', '"\\u0061rq_"', '"p\\u006fsition"'),
)

const metadataText = objectText(metadataKey, (key) => {
  const right = busValues.get(JSON.parse(key) as string)
  return right === undefined ? valueText : often(right, valueText)
})

const pad = (value: number, length: number) => String(value).padStart(length, '0')

const time = fc
  .tuple(
    fc.nat(9999),
    fc.integer({ min: 0, max: 13 }),
    fc.integer({ min: 0, max: 32 }),
    often(fc.nat(23), fc.nat(30), 6),
    often(fc.nat(59), fc.constant(60), 6),
    often(fc.nat(59), fc.constantFrom(60, 61), 6),
    oneOf('', '.5', '.000', ',123456789', '.'),
    oneOf('Z', 'Z', '', '+00:00', '-08:00', '+0100', '-08', '+23:59', '+24:00', 'z'),
  )
  .map(
    ([y, mo, d, h, mi, s, f, zone]) =>
      `${pad(y, 4)}-${pad(mo, 2)}-${pad(d, 2)}T${pad(h, 2)}:${pad(mi, 2)}:${pad(s, 2)}${f}${zone}`,
  )

/** The other forms of dates and times, mixed. */
const otherTime = fc
  .tuple(
    fc.nat(9999),
    oneOf('-', ''),
    oneOf('11-21', '1121', '001', '366', '000', '367', 'W53-1', 'W531', 'W01-7', 'W54-1', 'W10-8'),
    oneOf('T', 'T', 'T', 't', ' '),
    oneOf('12', '12:30', '1230', '12:30:59', '123059', '24', '24:00', '240000', '24:00:01', '23:59:60', '235960', '25'),
    oneOf('', '.5', ',0'),
    oneOf('Z', '', '+01', '+0100', '-01:00', '+1'),
  )
  .map(([y, ...rest]) => [pad(y, 4), ...rest].join(''))

const timestamp = often(
  oneOf('2026-11-21T12:00:00Z', '2024-02-29T23:59:59.999Z', '2016-12-31T23:59:60Z', '2026-11-21T12:00:00.5+05:45'),
  fc.oneof(time, otherTime),
  6,
)

function withSpaceBehind(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, often(fc.constant(''), space)).map((parts) => parts.join(''))
}

/** Valid values of the fields of an envelope, as JSON texts. */
const rightValues: Record<string, fc.Arbitrary<string>> = {
  version: fc.constant('"1.0"'),
  id: quoted(ID),
  type: oneOf('"event"', '"event"', '"command"', '"private"', '"telemetry"', '"system"', '"command_response"'),
  room: quoted(NAME),
  channel: often(quoted(NAME), oneOf('"*"', '"pm"'), 3),
  from: quoted(CLIENT),
  timestamp: quoted(timestamp),
  payload: withSpaceBehind(payloadText),
  metadata: withSpaceBehind(metadataText),
}

const fieldNames = Object.keys(rightValues)

/** A key or a string with one character written as an escape. */
const withEscape = (text: string, at: number): string => {
  const i = 1 + (at % Math.max(1, text.length - 2))
  const code = text.charCodeAt(i)
  return text[i] === '\\' || text[i] === '"' || text.includes('\\')
    ? text
    : `${text.slice(0, i)}\\u${code.toString(16).padStart(4, '0')}${text.slice(i + 1)}`
}

type Field = readonly [key: string, value: string]

/** Mostly, a `private` envelope has the channel `pm` and recipients, and others have neither. */
function agreed(values: Record<string, string>): fc.Arbitrary<Record<string, string>> {
  const right =
    values.type === '"private"'
      ? { ...values, channel: '"pm"', metadata: '{"to":"bob"}' }
      : { ...values, channel: values.channel === '"pm"' ? '"explore"' : values.channel! }
  return often(fc.constant(right), fc.constant(values), 6)
}

const oddName = fc.oneof(oneOf('extra', '__proto__', 'constructor', '', 'Id', 'position'), fc.string({ maxLength: 4 }))

/**
 * The members of an envelope: mostly valid ones in the usual order, else with a field left out, repeated, misspelled or
 * added.
 */
const fields: fc.Arbitrary<readonly Field[]> = fc
  .tuple(
    fc
      .record(Object.fromEntries(fieldNames.map((name) => [name, often(rightValues[name]!, valueText, 80)])))
      .chain(agreed),
    often(fc.boolean(), fc.boolean()),
    often(fc.constant(undefined), fc.constantFrom(...fieldNames), 8),
    often(fc.constant(undefined), fc.tuple(fc.oneof(oddName, fc.constantFrom(...fieldNames)), valueText), 8),
    often(fc.constant(undefined), fc.tuple(fc.nat(8), fc.nat(20), fc.boolean()), 8),
    often(fc.constant(undefined), fc.array(fc.nat(1000), { minLength: 10, maxLength: 10 }), 2),
  )
  .map(([values, hasMetadata, dropped, added, escaped, order]) => {
    let members: Field[] = fieldNames
      .filter((name) => name !== dropped && (hasMetadata || name !== 'metadata'))
      .map((name) => [JSON.stringify(name), values[name]!])
    if (escaped !== undefined && members[escaped[0]] !== undefined) {
      const [at, place, isKey] = escaped
      const [key, value] = members[at]!
      members[at] = isKey
        ? [withEscape(key, place), value]
        : [key, value.startsWith('"') ? withEscape(value, place) : value]
    }
    if (added !== undefined) members.push([JSON.stringify(added[0]), added[1]])
    if (order !== undefined)
      members = members
        .map((member, i) => [order[i]!, member] as const)
        .sort(([a], [b]) => a - b)
        .map(([, member]) => member)
    return members
  })

const noSpaces = ['', '', '', '', ''] as [string, string, string, string, string]

/** Envelopes in every spelling; most are valid, the others nearly. */
export const envelopeText: fc.Arbitrary<string> = fc
  .tuple(fields, often(fc.constant(noSpaces), fc.tuple(space, space, space, space, space), 2))
  .map(
    ([members, [a, b, c, d, e]]) =>
      `${a}{${b}${members.map(([key, value]) => `${key}${c}:${d}${value}`).join(`${b},${e}`)}${c}}${a}`,
  )

const fragment = fc.oneof(
  oneOf(
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    ' ',
    '0',
    'e',
    '-',
    '.',
    'null',
    '\\u0000',
    '\u0000',
    '\n',
    '\ufeff',
    ',"metadata":',
    '{}',
    ',"a":1',
    '}}',
    '"}',
  ),
  fc.string({ minLength: 1, maxLength: 3 }),
)

/** A text with one to three random changes: something removed, inserted, or repeated. */
export const broken = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(text, fc.array(fc.tuple(fc.nat(2), fc.nat(), fc.nat(12), fragment), { minLength: 1, maxLength: 3 }))
    .map(([start, accidents]) =>
      accidents.reduce((one, [kind, place, length, what]) => {
        const at = place % (one.length + 1)
        const cut = one.slice(at, at + length)
        if (kind === 0) return one.slice(0, at) + one.slice(at + length)
        return one.slice(0, at) + (kind === 1 ? what : cut + cut) + one.slice(at + (kind === 1 ? 0 : length))
      }, start),
    )

/** Frames of all kinds. */
export const frameText: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: envelopeText, weight: 6 },
  { arbitrary: broken(envelopeText), weight: 6 },
  { arbitrary: valueText, weight: 1 },
  { arbitrary: broken(valueText), weight: 1 },
  { arbitrary: fc.string({ unit: 'binary' }), weight: 1 },
)

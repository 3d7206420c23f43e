import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isJson } from './walk.ts'

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('the walker accepts what JSON.parse accepts, in any formatting', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t', '\r\n '), (text, space) => {
      const spaced = space === undefined ? text : JSON.stringify(JSON.parse(text), undefined, space)
      expect([spaced, isJson(spaced)]).toEqual([spaced, true])
    }),
    { numRuns: 500 },
  )
})

test('the walker rejects damaged JSON values like JSON.parse', () => {
  const pieces = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '-',
    '.',
    'e',
    'E',
    '+',
    't',
    'n',
    ' ',
    '\u0000',
    '\\u',
    'é',
    '\ud800',
  ]
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.nat(3), fc.constantFrom('', ...pieces), (text, place, length, piece) => {
      const at = place % (text.length + 1)
      const changed = text.slice(0, at) + piece + text.slice(at + length)
      expect([changed, isJson(changed)]).toEqual([changed, parses(changed)])
    }),
    { numRuns: 5000 },
  )
})

test('the walker judges random JSON fragments like JSON.parse', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '""',
      '"\\n"',
      '"\\x"',
      '"\\u00e9"',
      '"\\u00e"',
      '0',
      '01',
      '-',
      '-0',
      '1.5',
      '1.',
      '.5',
    ],
    ...[
      '1e5',
      '1E+05',
      '1e',
      '1e-',
      'true',
      'tru',
      'false',
      'null',
      'nul',
      'NaN',
      ' ',
      '\n',
      '\u2028',
      '\ufeff',
      "'",
      '+1',
    ],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (list) => {
      const text = list.join('')
      expect([text, isJson(text)]).toEqual([text, parses(text)])
    }),
    { numRuns: 20_000 },
  )
})

test('the walker judges long texts like short ones, and lone surrogates as characters', () => {
  const text = JSON.stringify({ a: 'é🚀'.repeat(300_000), b: [1, { c: null }] })
  expect([isJson(text), isJson(`${text}}`), isJson(text.slice(0, -1))]).toEqual([true, false, false])
  expect([isJson('"\ud800"'), isJson('\ud800'), isJson('["\udfff",1]')]).toEqual([true, false, true])
})

test('the walker accepts nesting up to the depth that any parser allows', () => {
  const nest = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  expect([isJson(nest(1024)), isJson(nest(1025)), isJson(`${nest(1000)}]`)]).toEqual([true, false, false])
})

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { finish } from '../pieces.ts'
import { hasRepeatedName, membersOf, readOnlyList, repeatedName } from './json-members.ts'

const isDoubled = (text: string) => finish(hasRepeatedName(text, membersOf(text, 0)))

/** A key in one of its spellings. */
const spelled = fc
  .tuple(
    fc.string({ unit: fc.constantFrom('a', 'b', '"', '\\', '\n', 'é', '/', '\ud83d'), maxLength: 3 }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([name, isEscaped, isUpper]) => {
    if (!isEscaped) return JSON.stringify(name)
    const hex = (code: number) => code.toString(16).padStart(4, '0')
    const digits = (code: number) => (isUpper ? hex(code).toUpperCase() : hex(code))
    return `"${Array.from({ length: name.length }, (_, i) => `\\u${digits(name.charCodeAt(i))}`).join('')}"`
  })

test('two members of one name are found in any spelling, and no others are', () => {
  fc.assert(
    fc.property(fc.array(spelled, { maxLength: 12 }), (keys) => {
      const text = `{${keys.map((key) => `${key}:[{"a":1,"a":2}]`).join(',')}}`
      expect([text, isDoubled(text)]).toEqual([text, finish(repeatedName(membersOf(text, 0))) !== undefined])
      expect(isDoubled(text)).toBe(keys.length > new Set(keys.map((key) => JSON.parse(key) as string)).size)
    }),
    { numRuns: 2000 },
  )
})

test('a repeated key is found among many keys, at the start and at the end', () => {
  const members = Array.from({ length: 20_000 }, (_, i) => `"k${i}":0`)
  expect(isDoubled(`{${members.join(',')}}`)).toBe(false)
  for (const again of ['"k0":1', '"k19999":1', '"\\u006b777":1'])
    expect(isDoubled(`{${members.join(',')},${again}}`)).toBe(true)
})

const listIn = (text: string, most = 1000) => finish(readOnlyList(text, 'list', most))

test('the elements of a list are the texts that they were written as', () => {
  const value = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.json({ maxDepth: 2 }).map((text) => JSON.stringify(JSON.parse(text), null, 2)),
  )
  const space = fc.constantFrom('', ' ', '\n', ' \t\r\n ')
  fc.assert(
    fc.property(fc.array(value, { maxLength: 6 }), space, space, (values, before, after) => {
      const elements = values.map((text) => `${before}${text}${after}`).join(',')
      const text = `${after}{${before}"list"${after}:${before}[${elements}${before}]${after}}${before}`
      expect([text, listIn(text)]).toEqual([text, values.map((one) => one.trim())])
    }),
    { numRuns: 1000 },
  )
})

test('a list is not read further than one element more than allowed', () => {
  const text = `{"list":[${Array.from({ length: 100_000 }, (_, n) => n)}]}`
  expect(listIn(text, 3)).toEqual(['0', '1', '2', '3'])
  expect(listIn(text, 200_000)).toHaveLength(100_000)
})

test('an object with another member, before or behind the list, and any other value has no list', () => {
  const others = [
    '{"list":[1],"more":1}',
    '{"more":1,"list":[1]}',
    '{"list":{}}',
    '{"lists":[]}',
    '{}',
    '[]',
    '1',
    '"{"',
    'null',
  ]
  expect(others.filter((text) => listIn(text) !== undefined)).toEqual([])
})

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { finish } from '../pieces.ts'
import { hasRepeatedName, membersOf, repeatedName } from './json-members.ts'

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

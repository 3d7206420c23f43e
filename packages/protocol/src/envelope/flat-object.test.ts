import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { broken, valueText } from '../../test/frames.ts'
import { holds } from '../../test/property.ts'
import { endOfFlatObject } from './flat-object.ts'

describe('a small flat object', () => {
  test.each([
    '{}',
    '{"text":"hello"}',
    '{"":""}',
    '{"a":-0,"b":1.5e-3,"c":true,"d":false,"e":null,"a":"again"}',
    '{"é":"🚀\u2028\x7f","lone":"\ud83d"}',
  ])('a small flat object is recognised: %j', (text) => {
    expect(endOfFlatObject(text, 0)).toBe(text.length)
    expect(endOfFlatObject(`${text}}`, 0)).toBe(text.length)
    expect(endOfFlatObject(`[${text},1]`, 1)).toBe(text.length + 1)
  })

  test.each([
    '{ }',
    '{"a" :1}',
    '{"a":1 }',
    '{"a":"\\n"}',
    '{"a":[]}',
    '{"a":{}}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":1e}',
    '{"a":NaN}',
    '{"a":"\n"}',
    '{"a":1,}',
    '{"a":1',
    '{"a":"1}',
    '{"a"}',
    '{a:1}',
    '{,}',
    '{',
    `{"a":"${'x'.repeat(2000)}"}`,
  ])('anything else is not recognised as a small flat object: %j', (text) => {
    expect(endOfFlatObject(text, 0)).toBe(-1)
  })

  test('a recognised flat object is an object to JSON.parse too, whatever follows it', () => {
    const member = fc
      .tuple(fc.constantFrom('"a"', '"b"', '"é"', '"\\u0061"', 'a'), valueText)
      .map((one) => one.join(':'))
    const object = fc.array(member, { maxLength: 4 }).map((members) => `{${members.join()}}`)
    let recognised = 0
    holds(
      fc.property(
        fc.oneof(object, broken(object)),
        fc.constantFrom('', '}', ',"metadata":{}}', '"'),
        (text, behind) => {
          if (!text.startsWith('{')) return
          const end = endOfFlatObject(text + behind, 0)
          if (end < 0) return
          recognised++
          expect(JSON.parse((text + behind).slice(0, end))).toBeObject()
        },
      ),
      3000,
    )
    expect(recognised).toBeGreaterThan(0)
  })
})

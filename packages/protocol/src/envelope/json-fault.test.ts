import { describe, expect, test } from 'bun:test'
import { finish } from '../pieces.ts'
import { faultInJson } from './json-fault.ts'

describe('the place of a fault in JSON', () => {
  test.each([
    ['', 0, 'a JSON value'],
    ['  ', 2, 'a JSON value'],
    ['hello', 0, 'a JSON value'],
    ['\ufeff{}', 0, 'a JSON value'],
    ['{} x', 3, 'the end of the frame'],
    ['{}}', 2, 'the end of the frame'],
    ['{"a":1', 6, '"," or "}"'],
    ['{"a":[1 2]}', 8, '"," or "]"'],
    ['{"a":1,}', 7, 'a key in double quotes'],
    ['[1,]', 3, 'a JSON value'],
    ['[,1]', 1, 'a JSON value'],
    ['{a:1}', 1, 'a key in double quotes'],
    ["{'a':1}", 1, 'a key in double quotes'],
    ['{"a" 1}', 5, '":"'],
    ['{"a":}', 5, 'a JSON value'],
    ['{"a":[1}', 7, '"," or "]"'],
    ['{"a":NaN}', 5, 'a JSON value'],
    ['{"a":01}', 6, '"," or "}"'],
    ['{"a":1.}', 6, '"," or "}"'],
    ['{"a":"b', 7, 'the end of the string'],
    ['{"a":"b\\', 7, 'an escape of JSON'],
    ['{"a":"b\\q"}', 7, 'an escape of JSON'],
    ['{"a":"\\u12g4"}', 6, 'an escape of JSON'],
    ['{"a":"b\nc"}', 7, 'an escape: control characters are not allowed in strings'],
    ['{"a\tb":1}', 3, 'an escape: control characters are not allowed in strings'],
    ['{"a":[{"b":"🚀", x}]}', 17, 'a key in double quotes'],
  ])('the first fault in %j is at %i, and what is expected is %s', (text, offset, expected) => {
    expect(finish(faultInJson(text))).toEqual({ offset, expected })
  })

  test('a fault is found after long strings on which a regular expression would fail', () => {
    const string = '\\n'.repeat(200_000)
    expect(finish(faultInJson(`{"a":"${string}",}`))).toEqual({ offset: 400_008, expected: 'a key in double quotes' })
  })

  test('a fault is found at any depth', () => {
    expect(finish(faultInJson(`${'['.repeat(500_000)}x`))).toEqual({ offset: 500_000, expected: 'a JSON value' })
  })
})

import { expect, test } from 'bun:test'
import { encode, RawJson } from './raw-json.ts'

test('fields that are encoded already are passed on as they were written, and others are encoded', () => {
  const value = {
    'a"b': 1,
    gone: undefined,
    raw: new RawJson('{ "n": 1.0 }'),
    list: [undefined],
    last: new RawJson('1e3'),
  }
  expect(encode(value)).toBe('{"a\\"b":1,"raw":{ "n": 1.0 },"list":[null],"last":1e3}')
  expect(RawJson.of({ inner: RawJson.of(value) }).text).toBe(`{"inner":${encode(value)}}`)
})

test('an object without such a field is encoded as JSON.stringify does', () => {
  for (const value of [{}, { a: undefined }, { a: { b: [1, 'é'] }, toJSON: () => 7 }])
    expect(encode(value)).toBe(JSON.stringify(value))
})

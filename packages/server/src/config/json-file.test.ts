import { expect, test } from 'bun:test'
import { parseJson, WrittenObject } from './json-file.ts'

test('the config of rooms and the metadata of channels are kept as they were written', () => {
  const metadata = String.raw`{ "n":1.0, "big": [ 9007199254740993, 1e400 ], "b":1, "a":"\\ud800", "a":{"metadata":{}} }`
  const config = '{}'
  const text = `{"port": 9000, "rooms": ["x:y", 7, {"name": "a", "config": ${config}, "channels": [
    "plain", {"name": "b", "metadata": {}, "metadata": ${metadata}}, {"name": "c"}]}], "metadata": {"n": 1.0}}`
  expect(parseJson(text)).toEqual({
    port: 9000,
    metadata: { n: 1 },
    rooms: [
      'x:y',
      7,
      {
        name: 'a',
        config: new WrittenObject(config),
        channels: ['plain', { name: 'b', metadata: new WrittenObject(metadata) }, { name: 'c' }],
      },
    ],
  })
})

test('what is no object is left to the checks of the settings', () => {
  for (const text of ['7', '[]', '{"rooms": 1}', '{"rooms": [{"config": 1, "channels": [[{"metadata": []}]]}]}'])
    expect(parseJson(text)).toEqual(JSON.parse(text))
})

test('an integer that would be rounded is refused outside of these objects', () => {
  for (const text of ['{"port": 9007199254740993}', '{"rooms": [{"config": [1e17]}]}'])
    expect(() => parseJson(text)).toThrow('an integer beyond 2^53')
})

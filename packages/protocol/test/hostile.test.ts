import { describe, expect, test } from 'bun:test'
import { protocolVersions, readEnvelope } from '@arqonbus/protocol'

const options = { maxDepth: 64, versions: protocolVersions }
const head =
  '{"version":"1.0","id":"arq_1","type":"event","room":"r","channel":"c","from":"f","timestamp":"2026-11-21T12:00:00Z","payload":'
const before = (field: string) => head.slice(0, head.indexOf(`"${field}"`))

/** Texts of about `size` characters, each an attack on the time or the stack of a parser. */
const hostile: Record<string, (size: number) => string> = {
  'a string without an end': (size) => `${head}{"a":"${'x'.repeat(size)}`,
  'escapes without an end': (size) => `${head}{"a":"${'\\n'.repeat(size / 2)}`,
  'backslashes without an end': (size) => `${head}{"a":"${'\\\\'.repeat(size / 2)}`,
  'backslashes, accepted': (size) => ` ${head}{"a":"${'\\\\'.repeat(size / 2)}"}}`,
  'backslashes before quotes': (size) => ` ${head}{"a":"${'\\\\\\"'.repeat(size / 4)}"}}`,
  'escaped quotes': (size) => ` ${head}{"a":"${'\\"'.repeat(size / 2)}"}}`,
  'backslashes and brackets': (size) => `${head}{"a":"${'\\\\{['.repeat(size / 4)}"}}`,
  'white space': (size) => `${' '.repeat(size)}x`,
  'white space in lists': (size) => `[${'1  ,  '.repeat(size / 6)}x]`,
  'white space behind members': (size) => ` ${head}{}${' '.repeat(size)}}`,
  'keys that look like metadata': (size) => `${head}{"a":[${'{"b":1,"metadata":1},'.repeat(size / 21)}0]}}`,
  'strings that look like metadata': (size) => `${head}{"a":"${',\\"metadata\\":'.repeat(size / 14)}"}}`,
  'one key many times': (size) => `{${'"a":1,'.repeat(size / 6)}"b":1}`,
  'many keys': (size) => `{${Array.from({ length: size / 10 }, (_, i) => `"k${i}":1`).join()}}`,
  'many keys with escapes': (size) => `{${Array.from({ length: size / 16 }, (_, i) => `"\\u006b${i}":1`).join()}}`,
  'many keys of metadata': (size) =>
    `${head}{},"metadata":{${Array.from({ length: size / 10 }, (_, i) => `"k${i}":1`).join()}}}`,
  'many keys of metadata, one twice': (size) =>
    `${head}{},"metadata":{"k0":1,${Array.from({ length: size / 10 }, (_, i) => `"k${i}":1`).join()}}}`,
  'commas in metadata': (size) => `${head}{},"metadata":{"a":"${','.repeat(size)}"}}`,
  'opening brackets': (size) => '['.repeat(size),
  'opening brackets in a string': (size) => `${head}{"a":"${'['.repeat(size)}"}}`,
  'closing brackets': (size) => `${head}${']'.repeat(size)}`,
  'lists beside each other': (size) => ` ${head}{"a":[${'[],'.repeat(size / 3)}0]}}`,
  digits: (size) => `${head}{"a":${'1'.repeat(size)}}}`,
  'digits and a point': (size) => `${head}{"a":${'1'.repeat(size)}.}}`,
  'a long id': (size) => `${before('arq_1')}"arq_${'a'.repeat(size)}"${head.slice(head.indexOf(',"type"'))}{}}`,
  'a long room': (size) => `${before('r')}"${'a'.repeat(size)}"${head.slice(head.indexOf(',"channel"'))}{}}`,
  'a long fraction': (size) => `${head.replace('00Z', `00.${'1'.repeat(size)}Z`)}{}}`,
  'a long fraction without a zone': (size) => `${head.replace('00Z', `00.${'1'.repeat(size)}`)}{}}`,
  'a long version': (size) => `${head.replace('1.0', '1'.repeat(size))}{}}`,
  'a long unknown field': (size) => `${head}{},"${'a'.repeat(size)}":1}`,
  'a long key of the server': (size) => `${head}{},"metadata":{"arq_${'a'.repeat(size)}":1}}`,
  'a long traceparent': (size) =>
    `${head}{},"metadata":{"traceparent":"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01${'-a'.repeat(size / 2)} "}}`,
  'a long key': (size) => `${head}{},"metadata":{"key":"${'🚀'.repeat(size / 2)}"}}`,
  'recipients that are alike objects': (size) =>
    `${head}{},"metadata":{"to":[${Array.from({ length: 32 }, () => `{"a":[${'1,'.repeat(size / 64)}1]}`).join()}]}}`,
  'recipients without number': (size) => `${head}{},"metadata":{"to":[${'"a",'.repeat(size / 4)}"a"]}}`,
}

describe('a hostile frame of 2 MiB', () => {
  test.each(Object.entries(hostile))(
    '%s of 2 MiB take time linear in their length and get a short reply',
    (_, textOf) => {
      // No clock: at this length a quadratic algorithm takes minutes or hours, and the test times out.
      const answer = readEnvelope(textOf(2 * 1024 * 1024), options)
      if ('fault' in answer) expect(JSON.stringify(answer).length).toBeLessThan(1000)
    },
  )
})

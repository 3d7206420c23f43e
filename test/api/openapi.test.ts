import { expect, test } from 'bun:test'
import { startBus } from '@arqonbus/testing'
import { createConfig, lintFromString } from '@redocly/openapi-core'

const bus = await startBus()
const source = await (await fetch(`${bus.httpUrl}/openapi.json`)).text()
const config = await createConfig('extends: [recommended-strict]')

const problemsOf = async (text: string) =>
  (await lintFromString({ source: text, absoluteRef: '/openapi.json', config })).map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer}`,
  )

test('the linter finds no problem in the OpenAPI document', async () => {
  expect(await problemsOf(source)).toEqual([])
})

test('the linter would find an unresolved reference in the OpenAPI document', async () => {
  const wrong = source.replace('#/components/schemas/Error', '#/components/schemas/Eror')
  expect(await problemsOf(wrong)).toContainEqual(expect.stringMatching(/^no-unresolved-refs/))
})

test('every operation of the document is served, with a status that it names', async () => {
  const { paths } = JSON.parse(source) as { paths: Record<string, Record<string, { responses: object }>> }
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      const at = path.replace('{room}', 'science').replace('{channel}', 'general')
      const response = await fetch(bus.httpUrl + at, {
        method: method.toUpperCase(),
        headers: { 'content-type': 'application/json' },
        ...(method === 'post' && { body: '{"unheard_of":1}' }),
      })
      expect([path, method, Object.keys(responses)]).toEqual([
        path,
        method,
        expect.arrayContaining([`${response.status}`]),
      ])
      if (response.status === 404) expect(await response.text()).not.toContain('"not_found"')
      else await response.body?.cancel()
    }
  }
})

type Schema = { readonly [key: string]: unknown }
const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** All object schemas of the document, by their place. */
function* objectsIn(value: unknown, place = ''): Generator<[string, Schema]> {
  if (!isSchema(value)) return
  if (value.type === 'object') yield [place, value]
  for (const [key, one] of Object.entries(value)) yield* objectsIn(one, `${place}/${key}`)
}

test('an object whose fields are free says so, because generators take one without any for an empty object', () => {
  const objects = [...objectsIn(JSON.parse(source))]
  const without = objects.filter(([, schema]) => !('properties' in schema || 'additionalProperties' in schema))
  expect(without.map(([place]) => place)).toEqual([])
  const free = /\/(payload|metadata|room_config|config|details)$/
  const named = objects.filter(([place]) => free.test(place))
  expect(named.filter(([, schema]) => schema.additionalProperties !== true)).toEqual([])
  expect(new Set(named.map(([place]) => free.exec(place)![1]))).toEqual(
    new Set(['payload', 'metadata', 'room_config', 'config', 'details']),
  )
})

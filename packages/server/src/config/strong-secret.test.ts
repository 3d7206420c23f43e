import { expect, test } from 'bun:test'
import { strongSecret } from './strong-secret.ts'

const faultsOf = (text: unknown) => {
  const reading = strongSecret.read(text)
  return 'value' in reading ? [] : (reading.faults ?? [])
}

test('random secrets of 16 characters and more are accepted, and pass phrases of uncommon words', () => {
  for (const text of [
    'f3b1c9d27a4e6508',
    'kZ8+Qv1x/7LmN2pR',
    'correct-horse-battery-staple',
    '902374918237498127349812',
    `${'x'.repeat(1000)}a1b2c3`,
  ])
    expect([text.slice(0, 40), strongSecret.read(text)]).toEqual([text.slice(0, 40), { value: text }])
})

test('a secret of fewer than 16 characters is refused, with its length and the command that makes a better one', () => {
  expect(faultsOf('hunter2')).toEqual([
    'must have at least 16 characters, but has 7: `openssl rand -hex 24` makes a strong one',
  ])
  expect(faultsOf('abcdefghijklmn1')).toHaveLength(1)
})

test('a secret of well-known words, digits and punctuation, or of a repeated pattern, is refused', () => {
  for (const text of [
    'changeme-changeme',
    'change-me-please-123',
    'MySuperSecretPassword!',
    'your-secret-key-here',
    'arqonbus-admin-key',
    '1234567890123456',
    '2026-12-01-12-00-00',
    'aaaaaaaaaaaaaaaa',
    'abababababababab1212',
    'abcabcabc-123-qwerty',
  ])
    expect([text, faultsOf(text)]).toEqual([text, [expect.stringMatching(/^is weak: .*`openssl rand -hex 24`/)]])
})

test('what is no secret at all is refused without faults of its own', () => {
  for (const raw of ['', 'two words', 'é'.repeat(20), 7, true, null, 'x'.repeat(1025)])
    expect(strongSecret.read(raw)).toEqual({})
})

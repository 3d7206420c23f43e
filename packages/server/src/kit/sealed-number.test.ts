import { expect, test } from 'bun:test'
import { seal, unseal } from './sealed-number.ts'

test('a sealed number is read again, and does not show what it is', () => {
  for (const number of [0, 1, 725, 2 ** 47]) {
    expect(unseal(seal(number))).toBe(number)
    expect(seal(number)).toHaveLength(22)
  }
  expect(seal(1).slice(0, 4)).not.toBe(seal(2).slice(0, 4))
})

test('a text that was not sealed here is no number', () => {
  const sealed = seal(5)
  for (const text of ['', '5', `${sealed}x`, sealed.slice(1), 'A'.repeat(22), `${sealed} `])
    expect(unseal(text)).toBeUndefined()
})

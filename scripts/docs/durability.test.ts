import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { derivations, failures, type Proof, replicaProofs, setups } from './durability-table.ts'

/** The titles of tests, and of faults, in a file. */
function sentencesIn(file: string): string[] {
  const text = readFileSync(join(import.meta.dir, '../..', file), 'utf8')
  return Array.from(
    text.matchAll(/(?:\btest\(|\bname: )\s*(?:'([^'\n]*)'|"([^"\n]*)")/g),
    ([, single, double]) => single ?? double!,
  )
}

const isThere = ({ file, sentence }: Proof) => expect(sentencesIn(file)).toContain(sentence)

describe('the table of guarantees', () => {
  test('the table of guarantees names only tests that exist, by their exact titles', () => {
    for (const { cells } of failures) for (const { proofs } of cells) proofs.forEach(isThere)
    for (const { proof } of derivations) isThere(proof)
    Object.values(replicaProofs).forEach(isThere)
  })

  test('the table of guarantees has a proof for every cell and no column twice in a row', () => {
    for (const { name, cells } of failures) {
      for (const { proofs, derived } of cells)
        expect([name, proofs.length + (derived === undefined ? 0 : 1)]).not.toEqual([name, 0])
      const columns = cells.flatMap((cell) => cell.setups)
      expect([name, new Set(columns).size]).toEqual([name, columns.length])
    }
  })

  test('the table of guarantees covers every level and names a source for everything not shown by a test', () => {
    const said = new Set(failures.flatMap(({ cells }) => cells.flatMap((cell) => cell.setups)))
    expect([...said].toSorted()).toEqual(Object.keys(setups).toSorted() as never)
    const unshown = failures.flatMap(({ cells }) => cells.filter(({ proofs }) => proofs.length === 0))
    for (const { derived } of unshown) expect(derived).toContain('https://redis.io/')
  })
})

/** Checks the fault runs themselves: a bus with one line broken on purpose must not pass them. */
import { expect, test } from 'bun:test'
import { withProgram } from '@arqonbus/testing'
import type { Fault } from '../../support/harness/fault.ts'
import { createMutant, type Mutation } from '../../support/harness/mutant.ts'
import { runFault } from '../../support/harness/run-fault.ts'

const acknowledgeBeforeAppend: Mutation = {
  file: 'packages/server/src/log/remote/remote-driver.ts',
  line: 'this.batches.add(operationOf(log, draft))',
  becomes: `{
      const position = { ms: this.now(), n: log.lastDelivered.n + 1 }
      this.listener.settled(log.subject, draft, { kind: 'appended', position })
      this.batches.add({ ...operationOf(log, draft), unsettledDraft: undefined })
    }`,
}

const dropOnReconnect: Mutation = {
  file: 'packages/server/src/subscriptions/locate.ts',
  line: 'starts.set(log, found.recovered ? since : found.base)',
  becomes: 'starts.set(log, log.lastDelivered)',
}

const forgetDedup: Mutation = {
  file: 'packages/server/src/log/redis/lua/append.lua',
  line: 'local found = remembered[print]',
  becomes: 'local found = false',
}

/** Runs a fault against the broken bus, and resolves to the reported violations. */
async function noticed(mutation: Mutation, fault: Omit<Fault, 'name' | 'level'>): Promise<string> {
  const mutant = createMutant(mutation)
  try {
    const { broken } = await runFault({ name: '', level: 'stored', ...fault }, { seed: 1, command: mutant.command })
    return broken.join('\n')
  } finally {
    mutant.remove()
  }
}

const cutClients: Fault['inject'] = async (run) => {
  for (let cuts = 0; cuts < 3; cuts++) {
    for (const proxy of [run.busProxy, run.otherProxy]) proxy.cut()
    await run.acknowledged(50)
  }
}

withProgram('redis-server', 'a bus that is broken on purpose', () => {
  test('an unmodified server passes the run that detects broken ones', async () => {
    const unbroken = { ...dropOnReconnect, becomes: dropOnReconnect.line }
    expect(await noticed(unbroken, { inject: cutClients })).toBe('')
  }, 300_000)

  test('a server that acknowledges before it appends is detected', async () => {
    expect(await noticed(acknowledgeBeforeAppend, { inject: cutClients })).toContain('rule 1 ')
  }, 300_000)

  test('a server that drops on reconnect what it reports as recovered is detected', async () => {
    expect(await noticed(dropOnReconnect, { inject: cutClients })).toContain('nothing was lost, but a gap was reported')
  }, 300_000)

  test('a server that forgets the ids of messages is detected', async () => {
    const inject: Fault['inject'] = async (run) => {
      const unknown = run.counted('outcome_unknown', 10)
      run.redis.pause()
      await unknown
      run.redis.resume()
    }
    const settings = { ARQONBUS_REDIS_TIMEOUT: '500ms' }
    expect(await noticed(forgetDedup, { settings, inject })).toContain('rule 5 ')
  }, 300_000)

  test('a mutation that no longer matches the source is reported', () => {
    expect(() => createMutant({ ...forgetDedup, line: 'nothing of the kind' })).toThrow('0 times, not once')
  })
})

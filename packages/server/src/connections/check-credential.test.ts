import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import type { Credential } from '../auth/credential.ts'
import { Revocations } from '../auth/revocations.ts'
import { createMetrics } from '../observability/metrics.ts'
import { createClients } from '../state/clients.ts'
import { createCheckCredential } from './check-credential.ts'

test('a token that is revoked while its session is looked for admits nobody', () => {
  const clock = testClock()
  const metrics = createMetrics()
  const limits = { maxRevocations: 10, tokenMaxLifeMs: 3_600_000, tokenLeewayMs: 0 }
  const revocations = new Revocations({ clock, metrics, limits })
  const check = createCheckCredential({ clients: createClients(), metrics, revocations, maxConnectionsPerSubject: 1 })
  const credential: Credential = {
    subjects: ['ada'],
    tokenId: undefined,
    issuedAt: clock.now() - 1000,
    expiresAt: clock.now() + 60_000,
    profile: { clientType: 'human' },
    maxConnections: undefined,
  }
  expect(() => check(credential, 'ada')).not.toThrow()
  revocations.add({ kind: 'sub', value: 'ada', at: clock.now() })
  expect(() => check(credential, 'ada')).toThrow('A valid token is required.')
  clock.advance(1000)
  expect(() => check({ ...credential, issuedAt: clock.now() }, 'ada')).not.toThrow()
})

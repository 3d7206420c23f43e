import { expect, test } from 'bun:test'
import { anonymous, type Identity } from '../auth/identity.ts'
import { replaceIdentity } from './clients.ts'
import type { Channel } from './model.ts'

test('a new identity keeps the client id, and the channel that the old one might publish to is forgotten', () => {
  const identity: Identity = { id: 'ann', role: 'admin', isProven: true, holder: 'h', isReadOnly: false, ...anonymous }
  const client = { id: 'ann', identity, lastChannel: {} as Channel | undefined }
  replaceIdentity(client, { role: 'user', isProven: true, holder: 'h', isReadOnly: false, ...anonymous })
  expect(client).toEqual({ id: 'ann', identity: { ...identity, role: 'user' }, lastChannel: undefined })
  expect(identity.role).toBe('admin')
})

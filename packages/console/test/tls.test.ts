import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, withProgram } from '@arqonbus/testing'
import { createFixture } from './support/fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-console-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

withProgram('chromium', 'the console over TLS', (chromium) => {
  const fixture = createFixture(chromium)

  test('the console over https connects to the bus with wss, and its policy allows that', async () => {
    const { cert, key } = createAuthority().issue()
    const [tlsCert, tlsKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    writeFileSync(tlsCert, cert)
    writeFileSync(tlsKey, key)
    const bus = await fixture.bus({ tlsCert, tlsKey })
    const { requests, faults } = await fixture.open(bus, '', { ignoreHTTPSErrors: true })
    expect(requests.filter((url) => url.startsWith('ws'))).toEqual([expect.stringContaining(bus.busUrl)])
    expect(requests.filter((url) => !/^(?:https|wss):/.test(url))).toEqual([])
    expect(faults).toEqual([])
  }, 120_000)
})

/** Settings are read again while the bus runs (docs/guide/operations.md#change-settings-without-a-restart). */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, testConfig, webhooksOf } from '@arqonbus/server'
import { eventually, refusal, startBus } from '@arqonbus/testing'
import { bearer, createIssuer, serveJson } from '@arqonbus/testing/tokens'
import { exportSPKI, generateKeyPair } from 'jose'
import { caller } from './api/call.ts'
import { root, startBusProcess } from './support/bus-process.ts'
import { createLogLines } from './support/log-lines.ts'
import { SECRET, startReceiver } from './webhooks/support/receiver.ts'

// Some tests start a process.
setDefaultTimeout(120_000)

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-reload-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [firstKey, secondKey] = ['first-8fq3zk1wvx20', 'second-8fq3zk1wvx20']
const keyed = (key: string) => ({ authorization: `Bearer ${key}` })

/** A bus whose settings a test changes. */
async function startChangeable(first: Partial<Config>) {
  // Whatever the harness sets otherwise would differ from what is read again.
  const usual = { drainTimeoutMs: 500, redisTimeoutMs: 1000, ...first }
  let settings = testConfig(usual)
  let mistake: string | undefined
  const { lines, logger } = createLogLines()
  const readSettings = () =>
    mistake === undefined
      ? { config: settings }
      : { mistakes: [{ option: 'admin_key', source: 'file' as const, message: mistake }] }
  const bus = await startBus(usual, { logger, readSettings })
  return {
    ...bus,
    call: caller(bus.httpUrl),
    lines,
    change(next: Partial<Config>) {
      settings = testConfig({ ...usual, ...next })
    },
    spoil(message: string) {
      mistake = message
    },
  }
}

test('a new admin key is in force after a reload and the old one is not, and an admin stays one until it leaves', async () => {
  const bus = await startChangeable({ adminKey: firstKey })
  const admin = await bus.connect({ headers: keyed(firstKey) })
  bus.change({ adminKey: secondKey })
  expect(await admin.command('reload')).toEqual({ changed: ['admin_key'], needs_restart: [] })
  expect(bus.lines).toContainEqual({ level: 'info', event: 'reloaded', changed: ['admin_key'], needs_restart: [] })
  const keyOf = (admin_key: string) => refusal(admin.command('pause_room', { room: 'none', admin_key }))
  expect([(await keyOf(firstKey)).code, (await keyOf(secondKey)).code]).toEqual(['forbidden', 'room_not_found'])
  await expect(bus.connect({ headers: keyed(firstKey) })).rejects.toThrow('4401')
  expect(await admin.command('reload')).toEqual({ changed: [], needs_restart: [] })
})

test('the command works by HTTP, for admins only, and names settings that need a restart until they are back', async () => {
  const bus = await startChangeable({ adminKey: firstKey, maxRooms: 50 })
  bus.change({ adminKey: firstKey, maxRooms: 60, historyTtlMs: 1000 })
  const reload = (headers: Record<string, string>) => bus.call('/commands/reload', { body: '{}', headers })
  expect((await reload({})).status).toBe(403)
  const needs_restart = ['ARQONBUS_MAX_ROOMS', 'ARQONBUS_HISTORY_TTL']
  for (let time = 0; time < 2; time++)
    expect((await reload(keyed(firstKey))).body).toMatchObject({ changed: [], needs_restart })
  bus.change({})
  expect((await reload(keyed(firstKey))).body).toMatchObject({ changed: [], needs_restart: [] })
})

test('other origins and host names are in force after a reload', async () => {
  const bus = await startChangeable({ adminKey: firstKey, origins: ['https://old.example'] })
  const from = async (origin: string, host = 'localhost') =>
    (await bus.call('/rooms', { headers: { origin, host } })).status
  const both = () => Promise.all([from('https://old.example'), from('https://new.example')])
  expect([await both(), await from('https://bus.example', 'bus.example')]).toEqual([[200, 403], 421])
  bus.change({ origins: ['https://new.example'], allowedHosts: ['bus.example'] })
  expect(await bus.reload()).toEqual({ changed: ['origins'], needs_restart: [] })
  expect([await both(), await from('https://bus.example', 'bus.example')]).toEqual([[403, 200], 200])
})

test('other permissions are in force after a reload, and none where the setting is gone', async () => {
  const permissionsOf = (channels: string): Partial<Config> => ({
    permissions: { rules: [{ permissions: { [channels]: ['join', 'create'] } }] },
  })
  const bus = await startChangeable({ adminKey: firstKey, ...permissionsOf('a:*') })
  const mayJoin = async (channel: string) => {
    const client = await bus.connect()
    return client.command('join_channel', { channel }).then(
      () => true,
      () => false,
    )
  }
  const both = async () => [await mayJoin('a:one'), await mayJoin('b:one')]
  expect(await both()).toEqual([true, false])
  expect((await bus.reload()).changed).toEqual([])
  bus.change(permissionsOf('b:*'))
  expect((await bus.reload()).changed).toEqual(['permissions'])
  expect(await both()).toEqual([false, true])
  bus.change({ permissions: undefined })
  expect((await bus.reload()).changed).toEqual(['permissions'])
  expect(await both()).toEqual([true, true])
})

test('after a reload a new webhook gets events and a removed one gets none', async () => {
  const [old, next] = [startReceiver(), startReceiver()]
  const to = (url: string): Partial<Config> => ({
    adminKey: firstKey,
    webhooksAllowPrivate: true,
    webhooks: webhooksOf([{ url, events: ['client.connected'], secret: SECRET }]),
  })
  const bus = await startChangeable(to(old.url))
  await bus.as('ann')
  await old.until(1)
  bus.change(to(next.url))
  expect(await bus.reload()).toEqual({ changed: ['webhooks'], needs_restart: [] })
  await bus.as('bob')
  const idsOf = (events: typeof old.events) => events.map(({ data }) => data.client_id)
  expect(idsOf(await next.until(1))).toEqual(['bob'])
  expect([idsOf(old.events), old.faults, next.faults]).toEqual([['ann'], [], []])
  await Promise.all([old.stop(), next.stop()])
})

test('after a reload tokens of a new key are accepted and those of a removed one refused, and a bad file changes nothing', async () => {
  const issuer = await createIssuer()
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const file = issuer.fileOf('rotated.pem', await exportSPKI(issuer.pairs.ES256.publicKey))
  const bus = await startChangeable({ ...issuer.config, tokenKeys: file, adminKey: firstKey })
  const [old, next] = [await issuer.token('ann'), await issuer.token('bob', { key: privateKey })]
  const statusOf = async (token: string) => (await bus.call('/rooms', { headers: bearer(token) })).status
  const both = async () => [await statusOf(old), await statusOf(next)]
  const ann = await bus.connect({ headers: bearer(old) })
  expect(await both()).toEqual([200, 401])

  issuer.fileOf('rotated.pem', 'nothing')
  bus.change({ ...issuer.config, tokenKeys: file, adminKey: secondKey })
  await expect(bus.reload()).rejects.toMatchObject({
    code: 'reload_failed',
    details: { reason: expect.stringContaining('ARQONBUS_TOKEN_KEYS has no PEM block') },
  })
  expect(await both()).toEqual([200, 401])
  expect([await statusOf(firstKey), await statusOf(secondKey)]).toEqual([200, 401])

  issuer.fileOf('rotated.pem', await exportSPKI(publicKey))
  expect(await bus.reload()).toEqual({ changed: ['admin_key', 'token_keys'], needs_restart: [] })
  expect(await both()).toEqual([401, 200])
  await expect(bus.connect({ headers: bearer(old) })).rejects.toThrow('4401')
  expect((await bus.connect({ headers: bearer(next) })).id).toBe('bob')
  expect(await ann.command('ping')).toBeDefined()
})

test('after a reload the key set of another URL is in force, and one that cannot be fetched leaves the old one', async () => {
  const issuer = await createIssuer()
  const [first, second] = [await issuer.keySet(['ES256']), await issuer.keySet(['RS256'])]
  const [old, next, broken] = [first, second, new Response('', { status: 500 })].map((set) => serveJson(() => set))
  const settings = (tokenJwksUrl: string | undefined): Partial<Config> => ({
    ...issuer.config,
    tokenKeys: undefined,
    tokenJwksUrl,
  })
  const bus = await startChangeable(settings(old))
  const tokens = [await issuer.token('ann', { alg: 'ES256' }), await issuer.token('bob', { alg: 'RS256' })]
  const both = () =>
    Promise.all(tokens.map(async (token) => (await bus.call('/rooms', { headers: bearer(token) })).status))
  expect(await both()).toEqual([200, 401])
  bus.change(settings(broken))
  await expect(bus.reload()).rejects.toMatchObject({
    details: { reason: 'ARQONBUS_TOKEN_JWKS_URL cannot be fetched: the response has the status 500' },
  })
  expect(await both()).toEqual([200, 401])
  bus.change(settings(next))
  expect(await bus.reload()).toEqual({ changed: ['token_keys'], needs_restart: [] })
  expect(await both()).toEqual([401, 200])
})

test('settings with a mistake leave all of the old ones in force, and the reply and the log say what it is', async () => {
  const bus = await startChangeable({ adminKey: firstKey })
  bus.change({ adminKey: secondKey, origins: ['*'] })
  bus.spoil('must have at least 16 characters')
  const admin = await bus.connect({ headers: keyed(firstKey) })
  const reason = 'admin_key (file): must have at least 16 characters'
  expect(await refusal(admin.command('reload'))).toEqual({
    code: 'reload_failed',
    status: 500,
    message: 'The new settings cannot be used: nothing has changed.',
    details: { reason },
  })
  expect(bus.lines).toContainEqual({ level: 'error', event: 'reload_failed', reason })
  const other = await bus.connect({ headers: keyed(firstKey) })
  expect((await refusal(other.command('pause_room', { room: 'none' }))).code).toBe('room_not_found')
})

test('SIGUSR2 to the launcher reloads the files of the process, and a mistake in one leaves the server running', async () => {
  const [keyFile, configFile] = [join(folder, 'key'), join(folder, 'bus.toml')]
  const writeKey = (key: string) => writeFileSync(keyFile, key, { mode: 0o600 })
  const writeConfig = (level: string, rooms: number) =>
    writeFileSync(
      configFile,
      `admin_key_file = ${JSON.stringify(keyFile)}\nlog_level = "${level}"\nmax_rooms = ${rooms}\n`,
    )
  writeKey(firstKey)
  writeConfig('info', 50)
  const command = ['node', join(root, 'bin/arqonbus.mjs'), 'serve']
  const bus = await startBusProcess({ command, settings: { ARQONBUS_CONFIG: configFile } })
  try {
    expect(bus.pid).not.toBe(bus.listening.pid as number)
    const call = caller(bus.httpUrl.replace(/\/$/, ''))
    const statusWith = async (key: string) =>
      (await call('/commands/reload', { body: '{}', headers: keyed(key) })).status
    const logged = (text: string) => eventually(() => expect(bus.output()).toContain(text))

    writeKey('weak')
    bus.signal('SIGUSR2')
    await logged('"reload_failed","reason":"admin_key_file (file): must have at least 16 characters, but has 4')
    expect(await statusWith(secondKey)).toBe(401)

    writeKey(secondKey)
    writeConfig('debug', 60)
    bus.signal('SIGUSR2')
    await logged('"reloaded","changed":["log_level","admin_key"],"needs_restart":["ARQONBUS_MAX_ROOMS"]')
    expect([await statusWith(firstKey), await statusWith(secondKey)]).toEqual([401, 200])
    await logged('"level":"debug"')
    expect(await bus.stop()).toBe(0)
  } finally {
    bus.kill()
  }
})

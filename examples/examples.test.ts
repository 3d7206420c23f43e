import { afterEach, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startServer, webhooksOf } from '@arqonbus/server'
import { type Config, testConfig } from '@arqonbus/server/config'
import { connect, withProgram } from '@arqonbus/testing'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function startBus(config: Partial<Config> = {}): Promise<string> {
  const server = await startServer({ config: testConfig(config) })
  cleanUps.push(() => server.drain('end of the test'))
  return server.busUrl
}

/** Runs an example as its reader does, with a terminal that waits for lines. */
function run(example: string, ...words: string[]) {
  return runWith({}, example, ...words)
}

/** The same, with variables of the environment. */
function runWith(variables: Record<string, string>, example: string, ...words: string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, example), ...words], {
    env: { ...process.env, ...variables },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  cleanUps.push(() => child.kill('SIGKILL'))
  let written = ''
  let heard = () => {}
  async function collect(stream: ReadableStream<Uint8Array>) {
    for await (const chunk of stream) {
      written += new TextDecoder().decode(chunk)
      heard()
    }
  }
  const read = Promise.all([collect(child.stdout), collect(child.stderr)])
  return {
    type: (line: string) => {
      child.stdin.write(`${line}\n`)
      child.stdin.flush()
    },
    /** Resolves when the output matches; fails with the output if the program ends before. */
    shows: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        heard = () => {
          const match = pattern.exec(written)
          if (match !== null) resolve(match)
        }
        heard()
        read.then(() => reject(new Error(`${example} ended without showing ${pattern}:\n${written}`)), reject)
      }),
    written: () => written,
    hangUp: () => child.stdin.end(),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    ended: async () => {
      await read
      return child.exited
    },
  }
}

test('chat: two people talk, and one of them leaves', async () => {
  const url = await startBus()
  const [ann, bob] = [run('chat.ts', 'ann', url), run('chat.ts', 'bob', url)]
  await Promise.all([ann.shows(/You are ann in lobby:chat\./), bob.shows(/You are bob/)])
  ann.type('Hello, Bob')
  await bob.shows(/^ann: Hello, Bob$/m)
  bob.type('Hello,\u0007 Ann')
  await ann.shows(/^bob: Hello, {2}Ann$/m)
  expect(ann.written()).not.toContain('ann:')
  ann.hangUp()
  expect(await ann.ended()).toBe(0)
})

test('chat: a name that is already in use is refused with a readable message', async () => {
  const url = await startBus()
  await run('chat.ts', 'ann', url).shows(/You are ann/)
  const second = run('chat.ts', 'ann', url)
  await second.shows(/Cannot connect to ws:\S+ as ann: Another connection has this client id\./)
  expect(await second.ended()).toBe(1)
})

test('agent: it answers in the room, and leaves when it is stopped', async () => {
  const url = await startBus()
  const agent = run('agent.ts', 'helper', url)
  await agent.shows(/helper listens in lobby:chat\./)
  const ann = run('chat.ts', 'ann', url)
  await ann.shows(/You are ann/)
  ann.type('/help')
  await ann.shows(/^helper: ann, ask me for \/time or \/who\.$/m)
  ann.type('/time')
  await ann.shows(/^helper: It is 20\d\d-/m)
  ann.type('/who')
  await ann.shows(/^helper: Here are Helper, ann\.$/m)
  agent.kill('SIGTERM')
  await agent.shows(/helper has left\./)
  expect(await agent.ended()).toBe(0)
})

test('dashboard: it shows the connected clients repeatedly', async () => {
  const url = await startBus()
  const dashboard = run('dashboard.ts', '0.05', url)
  await dashboard.shows(/arqonbus \S+ is ok, up \d+ s\n1 clients \(1 dashboard\)/)
  await run('chat.ts', 'ann', url).shows(/You are ann/)
  await dashboard.shows(/2 clients \(1 human, 1 dashboard\)\n(?: {2}.*\n)* {2}lobby:chat +1$/m)
  dashboard.kill('SIGINT')
  expect(await dashboard.ended()).toBe(0)
})

test('hello: two programs receive their own messages and those of each other', async () => {
  const url = await startBus()
  const first = run('hello.ts', url)
  await first.shows(/^\S+: Hello$/m)
  const second = run('hello.ts', url)
  await second.shows(/^\S+: Hello$/m)
  await first.shows(/^\S+: Hello\n\S+: Hello$/m)
})

withProgram('python3', 'examples/envelope.py', (python) => {
  test('the frames that the Python functions write are taken', async () => {
    const child = Bun.spawn([python, join(import.meta.dir, 'envelope.py'), 'ann'], { stdout: 'pipe' })
    const frames = (await new Response(child.stdout).text()).trim().split('\n')
    expect(frames).toHaveLength(3)
    const ann = await connect(await startBus(), { query: { client_id: 'ann' } })
    for (const frame of frames) {
      ann.raw(frame)
      expect(await ann.answer((JSON.parse(frame) as { id: string }).id)).toMatchObject({ status: 'success' })
    }
    expect((await ann.messages()).map(({ type, payload }) => [type, payload])).toEqual([
      ['event', { text: 'Hello' }],
      ['private', { text: 'A note to myself' }],
    ])
    await ann.close()
  })
})

test('webhook: the receiver prints each event once, and refuses requests that are not signed or too old', async () => {
  const secret = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`
  const receiver = runWith({ WEBHOOK_SECRET: secret, PORT: '0' }, 'webhook.ts')
  const [, port] = await receiver.shows(/listening on port (\d+)/)
  const url = `http://127.0.0.1:${port}/hook`
  const hook = { url, events: ['client.connected', 'message.published:science:*'], secret }
  const bus = await startBus({ webhooks: webhooksOf([hook]), webhooksAllowPrivate: true })
  const ann = await connect(bus, { query: { client_id: 'ann' } })
  await ann.publish({ channel: 'a', payload: { text: 'Hello' } })
  await receiver.shows(/client\.connected \{"client_id":"ann"/)
  await receiver.shows(/message\.published .*"payload":\{"text":"Hello"\}/)

  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const body = JSON.stringify({ data: { events: [{ id: 'evt_forged', type: 'forged', data: {} }] } })
  const send = (at: number, signedBody: string) => {
    const timestamp = Math.floor(at / 1000)
    const signature = new Bun.CryptoHasher('sha256', key).update(`msg_1.${timestamp}.${signedBody}`).digest('base64')
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${timestamp}`,
      'webhook-signature': `v1,${signature}`,
    }
    return fetch(url, { method: 'POST', headers, body }).then(({ status }) => status)
  }
  expect(await fetch(url, { method: 'POST', body }).then(({ status }) => status)).toBe(401)
  expect(await send(Date.now(), `${body} `)).toBe(401)
  expect(await send(Date.now() - 600_000, body)).toBe(401)
  expect(await send(Date.now() + 600_000, body)).toBe(401)
  expect(receiver.written()).not.toContain('forged')
  expect(await send(Date.now(), body)).toBe(204)
  expect(await send(Date.now(), body)).toBe(204)
  await receiver.shows(/forged/)
  expect(receiver.written().match(/forged/g)).toHaveLength(1)
})

test('issue-token: the bus accepts the token, for what it grants', async () => {
  const tokenSecret = 'a-secret-of-more-than-thirty-two-bytes'
  const config = testConfig({ auth: 'token', tokenSecret, tokenAudience: ['bus.example.org'] })
  const server = await startServer({ config })
  cleanUps.push(() => server.drain('end of the test'))
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'issue-token.ts'), 'ada'], {
    env: { ...process.env, ARQONBUS_TOKEN_SECRET: tokenSecret },
  })
  const token = (await new Response(child.stdout).text()).trim()
  const ada = await connect(server.busUrl, { headers: { authorization: `Bearer ${token}` } })
  expect(ada.welcome.client).toMatchObject({ client_id: 'ada', screen_name: 'ada' })
  await ada.command('join_channel', { channel: 'science:explore' })
})

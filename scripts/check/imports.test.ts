import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { root } from './run.ts'

/** A small repository that breaks each rule once, and contains what is allowed. */
const sources: Record<string, string> = {
  'packages/protocol/src/index.ts': `export const one = 1`,
  'packages/protocol/src/inner.ts': `export const two = 2`,
  'packages/protocol/src/borrows.ts': `import '@arqonbus/server'`,
  'packages/protocol/src/reads.ts': `import 'node:fs'`,
  'packages/client/src/index.ts': `export { one } from '@arqonbus/protocol'`,
  'packages/client/src/peeks.ts': `import { two } from '../../protocol/src/inner.ts'\nexport const three = two + 1`,
  'packages/client/src/borrows.ts': `import '@arqonbus/server'`,
  'packages/console/src/index.ts': `import '../page/app.ts'\nexport const files = 1`,
  'packages/console/page/app.ts': `import '@arqonbus/client'\nimport '@arqonbus/server'\nimport 'node:os'`,
  'packages/server/src/main.ts': `import './server.ts'\nimport './odd/none.ts'`,
  'packages/cli/src/main.ts': `import '@arqonbus/console'\nimport '@arqonbus/server'\nimport '@arqonbus/testing'`,
  'packages/server/src/kit/shows.ts': `import '@arqonbus/console'`,
  'packages/server/src/odd/none.ts': `export const none = 0`,
  'packages/server/src/index.ts': `export * from './server.ts'`,
  'packages/server/src/server.ts': `export * from './publish/publish.ts'\nexport type Server = { port: number }`,
  'packages/server/src/publish/publish.ts': `import '../state/rooms.ts'`,
  'packages/server/src/delivery/replies.ts': `import '../publish/publish.ts'\nimport './deliver.ts'`,
  'packages/server/src/delivery/deliver.ts': `import '../state/rooms.ts'\nexport const deliver = 1`,
  'packages/server/src/odd/stray.ts': `import '../kit/clock.ts'`,
  'packages/server/src/state/rooms.ts': `import '../kit/clock.ts'\nexport const rooms = 1`,
  'packages/server/src/state/channels.ts':
    "import type { Log } from '../log/contract.ts'\nexport type Channel = { log: Log }",
  'packages/server/src/log/contract.ts':
    "import type { rooms } from '../state/rooms.ts'\nexport type Log = typeof rooms",
  'packages/server/src/log/memory-log.ts': `import '../state/rooms.ts'`,
  'packages/server/src/log/remote/remote-driver.ts': `import '../../redis/link.ts'\nimport '../redis/scripts.ts'\nimport '../entry.ts'`,
  'packages/server/src/log/redis/scripts.ts': `import '../../redis/link.ts'\nimport '../entry.ts'`,
  'packages/server/src/log/entry.ts': `export const entry = 1`,
  'packages/server/src/redis/link.ts': `export const link = 1`,
  'packages/server/src/telemetry/emit.ts': `import type { Server } from '../server.ts'\nexport type Emit = Server`,
  'packages/server/src/kit/clock.ts': `import './ids.ts'\nexport const clock = 1`,
  'packages/server/src/kit/ids.ts': `import './clock.ts'\nexport const ids = 1`,
  'packages/server/src/kit/clock.test.ts': `import '@arqonbus/testing'\nimport '../server.ts'`,
  'packages/server/src/kit/stranger.ts': `import 'kleur'`,
  'packages/server/src/kit/tool.ts': `import 'fast-check'`,
  'packages/server/src/kit/uses-tests.ts': `import '@arqonbus/testing'`,
  'packages/testing/src/index.ts': `export const harness = 1`,
  'scripts/peeks.ts': `import '../packages/server/src/kit/ids.ts'`,
  'scripts/asks.ts': `import '@arqonbus/server'`,
  'scripts/lost.ts': `import './nowhere.ts'`,
  'examples/hello.ts': `import '@arqonbus/client'`,
  'examples/cheats.ts': `import '@arqonbus/server'`,
}

let folder = ''
let broken: string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'arqonbus-imports-'))
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json']) cpSync(join(root, file), join(folder, file))
  mkdirSync(join(folder, 'node_modules/@arqonbus'), { recursive: true })
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'small', workspaces: ['packages/*'], devDependencies: { 'fast-check': '1' } }),
  )
  symlinkSync(join(root, 'node_modules/typescript'), join(folder, 'node_modules/typescript'))
  for (const name of ['kleur', 'fast-check']) {
    const home = join(folder, 'node_modules', name)
    mkdirSync(home)
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, main: './index.js' }))
    writeFileSync(join(home, 'index.js'), '')
  }
  for (const name of ['protocol', 'client', 'console', 'server', 'cli', 'testing']) {
    const manifest = { name: `@arqonbus/${name}`, type: 'module', exports: { '.': './src/index.ts' } }
    writeFileSync(join(folder, 'packages', name, 'package.json'), JSON.stringify(manifest))
    symlinkSync(join('../../packages', name), join(folder, 'node_modules/@arqonbus', name))
  }
  broken = await violations()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function violations(): Promise<string[]> {
  const cruiser = join(root, 'node_modules/.bin/depcruise')
  const command = [
    cruiser,
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    'packages',
    'scripts',
    'examples',
  ]
  const child = Bun.spawn(command, { cwd: folder, stderr: 'inherit' })
  const { summary } = (await new Response(child.stdout).json()) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] }
  }
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).sort()
}

test('the import rules flag each violation and nothing else', () => {
  expect(broken).toEqual(
    [
      'cli-composes-server-console-and-client: packages/cli/src/main.ts → packages/testing/src/index.ts',
      'no-tests-in-the-product: packages/cli/src/main.ts → packages/testing/src/index.ts',
      'client-knows-the-protocol-only: packages/client/src/borrows.ts → packages/server/src/index.ts',
      'console-knows-client-and-protocol-only: packages/console/page/app.ts → packages/server/src/index.ts',
      'declared: packages/server/src/kit/stranger.ts → node_modules/kleur/index.js',
      'every-file-has-a-layer: packages/server/src/odd/stray.ts → packages/server/src/kit/clock.ts',
      'every-imported-file-has-a-layer: packages/server/src/main.ts → packages/server/src/odd/none.ts',
      'examples-use-what-users-have: examples/cheats.ts → packages/server/src/index.ts',
      'layer-of-delivery: packages/server/src/delivery/replies.ts → packages/server/src/publish/publish.ts',
      'layer-of-log: packages/server/src/log/contract.ts → packages/server/src/state/rooms.ts',
      'layer-of-log: packages/server/src/log/memory-log.ts → packages/server/src/state/rooms.ts',
      'layer-of-log/remote: packages/server/src/log/remote/remote-driver.ts → packages/server/src/log/redis/scripts.ts',
      'layer-of-log/remote: packages/server/src/log/remote/remote-driver.ts → packages/server/src/redis/link.ts',
      'layer-of-telemetry: packages/server/src/telemetry/emit.ts → packages/server/src/server.ts',
      'no-cycles: packages/server/src/kit/clock.ts → packages/server/src/kit/ids.ts',
      'no-dev-dependencies-in-the-product: packages/server/src/kit/tool.ts → node_modules/fast-check/index.js',
      'no-runtime-in-protocol-and-client: packages/console/page/app.ts → os',
      'no-runtime-in-protocol-and-client: packages/protocol/src/reads.ts → fs',
      'no-tests-in-the-product: packages/server/src/kit/uses-tests.ts → packages/testing/src/index.ts',
      'packages-are-imported-by-name: packages/client/src/peeks.ts → packages/protocol/src/inner.ts',
      'packages-are-imported-by-name-by-the-rest-too: scripts/peeks.ts → packages/server/src/kit/ids.ts',
      'protocol-stands-alone: packages/protocol/src/borrows.ts → packages/server/src/index.ts',
      'resolvable: scripts/lost.ts → ./nowhere.ts',
      'server-knows-the-protocol-only: packages/server/src/kit/shows.ts → packages/console/src/index.ts',
      'server-knows-the-protocol-only: packages/server/src/kit/uses-tests.ts → packages/testing/src/index.ts',
    ].sort(),
  )
})

test('no two files of the server have the same name', () => {
  const files = [...new Bun.Glob('**/*.ts').scanSync(join(root, 'packages/server/src'))]
  const names = files.filter((file) => !/(^|[/])index[.]ts$|[.]test[.]ts$/.test(file)).map((file) => basename(file))
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})

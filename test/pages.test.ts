import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { configFile, reference } from '@arqonbus/server/config'
import { withProgram } from '@arqonbus/testing'
import { isConversation, looksLikeConversation } from './pages/conversation.ts'
import { type Block, fencedBlocks, localLinks, npmScripts } from './pages/markdown.ts'
import { needsCurl, needsRedis, playPage } from './pages/play.ts'
import { root } from './support/bus-process.ts'

const places = ['*.md', 'docs/**/*.md', 'packages/*/*.md', 'bench/*.md', 'examples/*.md']
const pages = places.flatMap((place) => [...new Bun.Glob(place).scanSync({ cwd: root })]).sort()
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }

/** The settings, and variables that Kubernetes sets by itself. */
const variables = new Set([
  'ARQONBUS_SERVICE_HOST',
  configFile.variable,
  ...reference().flatMap(({ rows }) => rows.flatMap((row) => [row.variable, row.fileVariable])),
])

/** The file that a block shows completely or in part, if its info string names one, as in `ts examples/hello.ts`. */
function shownFile({ info }: Block): string | undefined {
  return /^[a-z]+ (\S+\/\S+\.[a-z]+)$/.exec(info)?.[1]
}

for (const path of pages) {
  const markdown = readFileSync(join(root, path), 'utf8')
  const blocks = fencedBlocks(markdown)

  describe(path, () => {
    test('links lead to existing files, and the npm scripts and settings named on the page exist', () => {
      const lost = localLinks(markdown).filter((target) => !existsSync(join(root, dirname(path), target)))
      expect(lost).toEqual([])
      const named = Array.from(markdown.matchAll(/\bARQONBUS_[A-Z][A-Z_]*/g), ([variable]) => variable)
      expect(named.filter((variable) => !variables.has(variable))).toEqual([])
      expect(npmScripts(markdown).filter((name) => scripts[name] === undefined)).toEqual([])
    })

    if (blocks.length > 0) {
      test('JSON blocks parse, code equals the file that it names, and every conversation is marked to be run', () => {
        for (const block of blocks) {
          if (block.info === 'json') JSON.parse(block.text)
          const file = shownFile(block)
          if (file !== undefined) expect(readFileSync(join(root, file), 'utf8')).toContain(block.text)
          if (looksLikeConversation(block)) expect(block).toSatisfy(isConversation)
        }
      })
    }

    if (blocks.some(isConversation)) {
      const play = () => test('the conversations on the page happen as shown', () => playPage(markdown))
      const withRedis = () => (needsRedis(markdown) ? withProgram('redis-server', `${path}, with Redis`, play) : play())
      if (needsCurl(markdown)) withProgram('curl', `${path}, with curl`, withRedis)
      else withRedis()
    }
  })
}

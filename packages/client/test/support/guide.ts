import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The guide of the client: its program, the output of the program, its page, and its table of codes. */
export type Guide = {
  /** The `ts` blocks, as one program against the bus at `url`. */
  program(url: string): string
  /** The output of the program, sorted: the output of two connections has no order between them. */
  readonly prints: string[]
  /** The `html` block, against the bus at `url`. */
  page(url: string): string
  /** The client's own codes with their status. */
  readonly codes: Record<string, number>
}

/** The source of the client, for programs in other folders. */
export const clientSource = join(import.meta.dir, '../../src/index.ts')

const DEFAULT_URL = 'ws://127.0.0.1:9100'

/** Reads the guide. */
export function readGuide(): Guide {
  const text = readFileSync(join(import.meta.dir, '../../../../docs/guide/client.md'), 'utf8')
  const blocks = (language: string) =>
    Array.from(text.matchAll(/^```(\w+)\n(.*?)^```$/gms))
      .filter(([, info]) => info === language)
      .map(([, , code]) => code as string)
  const program = blocks('ts').join('\n')
  return {
    program: (url) => program.replaceAll(DEFAULT_URL, url).replace("'@arqonbus/client'", JSON.stringify(clientSource)),
    prints: Array.from(program.matchAll(/^\/\/ prints (.*)$/gm), ([, line]) => line as string).sort(),
    page: (url) => blocks('html').join('\n').replaceAll(DEFAULT_URL, url),
    codes: Object.fromEntries(
      Array.from(text.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm), ([, code, status]) => [code, Number(status)]),
    ),
  }
}

/** Reads the JUnit report of `bun test`, the machine-readable form of its results. */

/** One test of the report. */
export type TestCase = { file: string; name: string; result: 'passed' | 'failed' | 'skipped' }

const element = /<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g
const attribute = /([a-z]+)="([^"]*)"/g
const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** All test cases of the report, in its order; `name` includes the suites, as `bun test` prints it. */
export function readJunit(xml: string): TestCase[] {
  return Array.from(xml.matchAll(element), ([, head = '', , body = '']) => {
    const attributes = attributesOf(head)
    const suite = attributes.get('classname') ?? ''
    const name = attributes.get('name') ?? ''
    return {
      file: attributes.get('file') ?? '',
      name: suite === '' ? name : `${suite} > ${name}`,
      result: /<(failure|error)\b/.test(body) ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : 'passed',
    }
  })
}

/** The duration of each file, including its imports and hooks; the slowest first. */
export type FileTime = { file: string; seconds: number }

/** Reads the times of the files from the report. */
export function readFileTimes(xml: string): FileTime[] {
  return Array.from(xml.matchAll(/<testsuite ([^>]*)>/g), ([, head = '']) => attributesOf(head))
    .filter((suite) => suite.get('name') === suite.get('file'))
    .map((suite) => ({ file: suite.get('file') ?? '', seconds: Number(suite.get('time')) }))
    .sort((a, b) => b.seconds - a.seconds)
}

const attributesOf = (head: string) =>
  new Map(Array.from(head.matchAll(attribute), ([, key = '', value = '']) => [key, plain(value)]))

function plain(text: string): string {
  return text.replace(/&(?:#(\d+)|(amp|lt|gt|quot|apos));/g, (_, number: string | undefined, name: string) =>
    number === undefined ? entities[name]! : String.fromCodePoint(Number(number)),
  )
}

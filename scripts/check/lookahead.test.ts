/** Composition without lookahead: a part is created after everything that it uses, also where it uses it later. */
import { expect, test } from 'bun:test'
import { Glob } from 'bun'
import ts from 'typescript'

const root = new URL('../../packages/server/src/', import.meta.url).pathname

/** Names that a function uses, in itself or in closures, above the line that declares them in the same block. */
function lookaheadsIn(text: string, file: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visitBlock = (block: ts.Block) => {
    for (const statement of block.statements) {
      if (!ts.isVariableStatement(statement)) continue
      for (const name of statement.declarationList.declarations.flatMap(({ name }) => namesIn(name)))
        for (const use of usesOf(name.text, block))
          if (use.getStart() < name.getStart()) found.push(`${file}:${lineOf(source, use)} ${name.text}`)
    }
  }
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) visitBlock(node)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const namesIn = (name: ts.BindingName): ts.Identifier[] =>
  ts.isIdentifier(name)
    ? [name]
    : name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : namesIn(element.name)))

/**
 * Identifiers of that name that are values: no keys, no members, and none of a function that declares the name itself.
 */
function usesOf(name: string, block: ts.Block): ts.Identifier[] {
  const uses: ts.Identifier[] = []
  const visit = (node: ts.Node): void => {
    if (node !== block && declares(node, name)) return
    if (ts.isIdentifier(node) && node.text === name && isValue(node)) uses.push(node)
    ts.forEachChild(node, visit)
  }
  visit(block)
  return uses
}

function declares(node: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(node)) return node.parameters.some((one) => namesIn(one.name).some(({ text }) => text === name))
  return (
    ts.isBlock(node) &&
    node.statements.some(
      (one) =>
        ts.isVariableStatement(one) &&
        one.declarationList.declarations.some((declared) => namesIn(declared.name).some(({ text }) => text === name)),
    )
  )
}

function isValue(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isBindingElement(parent)) return parent.initializer === node
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node
  return !ts.isMethodDeclaration(parent) && !ts.isPropertySignature(parent) && !ts.isTypeNode(parent)
}

const lineOf = (source: ts.SourceFile, node: ts.Node): number =>
  source.getLineAndCharacterOfPosition(node.getStart()).line + 1

test('server.ts and the functions that compose a server use nothing before it is created', async () => {
  const files = ['server.ts', ...new Glob('compose/*.ts').scanSync(root)].filter((file) => !file.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(8)
  const found = await Promise.all(files.map(async (file) => lookaheadsIn(await Bun.file(root + file).text(), file)))
  expect(found.flat()).toEqual([])
})

test('the check finds a name that a closure uses above its declaration', () => {
  const text = 'function f() {\n  const one = make(() => two)\n  const two = 2\n  return one\n}'
  expect(lookaheadsIn(text, 'a.ts')).toEqual(['a.ts:2 two'])
  expect(lookaheadsIn(text.replace('() => two', '(two) => two'), 'a.ts')).toEqual([])
})

test('server.ts has at most 180 lines', async () => {
  expect((await Bun.file(`${root}server.ts`).text()).split('\n').length).toBeLessThanOrEqual(180)
})

/** Extracts the parts of a Markdown page that tests check. */

/** A fenced block: its info string, its text, and the line of the page on which the fence opens. */
export type Block = { info: string; text: string; line: number }

/** All fenced blocks of a page, in order. */
export function fencedBlocks(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { fence: string; info: string; line: number; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^\s*(`{3,})(.*)$/.exec(line)
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1]!, info: fence[2]!.trim(), line: index + 1, lines: [] }
    } else if (line.trim() === open.fence) {
      blocks.push({ info: open.info, text: open.lines.join('\n'), line: open.line })
      open = undefined
    } else open.lines.push(line)
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the fence is not closed`)
  return blocks
}

/** The page without its fenced blocks. */
export function prose(markdown: string): string {
  return markdown.replace(/^\s*(`{3,})[^\n]*\n[\s\S]*?^\s*\1\s*$/gm, '')
}

/** Targets of links that lead into this repository, without their anchors. */
export function localLinks(markdown: string): string[] {
  return Array.from(prose(markdown).matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) =>
    target.replace(/#.*$/, ''),
  ).filter((target) => target !== '' && !/^[a-z]+:/i.test(target))
}

/** The npm scripts that the page names: `build` for `npm run build`, `test` for `npm test`. */
export function npmScripts(markdown: string): string[] {
  return Array.from(
    markdown.matchAll(/\bnpm (?:run ([a-z:]+)|(test|start)\b)/g),
    ([, run, short]) => run ?? short ?? '',
  )
}

/** The texts in backticks, outside of fenced blocks, with line breaks replaced by spaces. */
export function inlineCode(markdown: string): string[] {
  return Array.from(prose(markdown).matchAll(/`([^`]+)`/g), ([, text = '']) => text.replace(/\s+/g, ' '))
}

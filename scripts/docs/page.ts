/** What a generated page is, and the little Markdown that the generators share. */

/** A file that is made from the sources; `npm run docs` writes it, `npm test` fails when it is stale. */
export type Page = {
  /** From the top of the repository, with forward slashes. */
  path: string
  render(): string
}

/** The line at the head of a generated page: where a change belongs. */
export function generatedFrom(source: string): string {
  return `<!-- Generated from ${source} by \`npm run docs\`: change it there. -->`
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Text in a table: one line, and no bar that would end the cell, also within code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** The parts of a page, a blank line between them, one line end at its end. */
export function page(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}

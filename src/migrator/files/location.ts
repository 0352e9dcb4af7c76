import { basename } from 'node:path'

/** A place in a file, as editors count: both numbers begin at 1. */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
  /** The line with its number, and below it a caret under the column. */
  readonly snippet: string
}

/** Finds the place of the character at `index` (a JavaScript string index). */
export function locate(file: string, text: string, index: number): Location {
  const before = text.slice(0, index)
  const start = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1
  const line = before.slice(0, start).split(/\r\n|\r|\n/).length
  const column = [...before.slice(start)].length + 1
  const content = /^[^\r\n]*/.exec(text.slice(start))?.[0] ?? ''
  return { file, line, column, snippet: snippet(content, line, column) }
}

/** `0003_boom.up.sql:12:8`. */
export function describeLocation({ file, line, column }: Location): string {
  return `${basename(file)}:${line}:${column}`
}

/** The JavaScript index of the `position`-th character (from 1), as PostgreSQL counts characters. */
export function indexOfPosition(text: string, position: number): number {
  let index = 0
  for (let left = position - 1; left > 0 && index < text.length; left--) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
  }
  return index
}

const widest = 160

/** Long lines are cut around the column, and tabs keep their width so that the caret stands right. */
function snippet(content: string, line: number, column: number): string {
  const characters = [...content.replaceAll('\t', ' ')]
  const from = column > widest ? column - widest / 2 : 0
  const label = `${line} | `
  const shown = characters.slice(from, from + widest).join('')
  return `${label}${shown}\n${' '.repeat(label.length - 2)}| ${' '.repeat(Math.max(0, column - 1 - from))}^`
}

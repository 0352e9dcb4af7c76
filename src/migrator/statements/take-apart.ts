import { indexOfPosition } from '../files/location.js'
import { parser } from './parser.js'

/** A node of PostgreSQL's parse tree: its kind to its content. */
export type Node = Readonly<Record<string, unknown>>

/** A statement as the parser gives it; places are bytes of UTF-8. */
export interface RawStatement {
  readonly stmt: Node
  readonly stmt_location?: number
  readonly stmt_len?: number
}

/** The rows that follow a `copy … from stdin` in a file. */
export interface CopyRows {
  /** Where they begin in the file, as a JavaScript string index. */
  readonly index: number
  /** The lines above the one that holds `\.`, as they stand in the file. */
  readonly text: string
}

/** A stretch of a file that is SQL throughout. */
export interface Stretch {
  /** As long as in the file; lines that are for psql alone are blank. */
  readonly sql: string
  readonly index: number
  readonly trees: readonly RawStatement[]
  /** The rows for its last statement, when that one is a `copy … from stdin`. */
  readonly rows: CopyRows | undefined
}

/** Something wrong at a place of a text. */
export interface Complaint {
  readonly index: number
  readonly message: string
}

export interface TakenApart {
  readonly stretches: readonly Stretch[]
  /** What is in the file and cannot run. */
  readonly complaints: readonly Complaint[]
  /** Where the parser stopped, with what it said. */
  readonly mistake: Complaint | undefined
}

/**
 * Takes the text of a file apart into stretches of SQL and the rows of `copy … from stdin`.
 *
 * Where a row of data begins only the parser can tell: the same characters may stand in
 * a comment or in the body of a function. So a stretch ends where everything before a
 * semicolon parses and the last statement of it reads from stdin.
 *
 * The parser has to be loaded.
 */
export function takeApart(text: string): TakenApart {
  const stretches: Stretch[] = []
  const complaints: Complaint[] = []
  for (let index = 0; index < text.length || index === 0; ) {
    const end = findCopy(text, index)
    const { sql, trees, mistake, ...found } = parseStretch(text.slice(index, end), index)
    complaints.push(...found.complaints)
    if (mistake) return { stretches, complaints, mistake }
    const data = end === undefined ? undefined : rowsAfter(text, end)
    complaints.push(...(data?.complaints ?? []))
    stretches.push({ sql, index, trees, rows: data?.rows })
    index = data?.next ?? text.length + 1
  }
  return { stretches, complaints, mistake: undefined }
}

/** True for a `copy … from stdin`, whose rows the client has to send. */
export function readsStdin(tree: Node | undefined): boolean {
  const copy = tree?.['CopyStmt'] as Node | undefined
  return copy?.['is_from'] === true && copy['filename'] === undefined
}

/** How many semicolons after the word `stdin` are tried; a quoted delimiter may be one. */
const attempts = 16

/**
 * Where the first `copy … from stdin;` from `start` on ends, or undefined.
 *
 * The word is only a hint where to ask the parser.
 */
function findCopy(text: string, start: number): number | undefined {
  const hint = /\bstdin\b/gi
  hint.lastIndex = start
  let base = start
  for (let found = hint.exec(text); found; found = hint.exec(text)) {
    let semicolon = found.index
    for (let attempt = 0; attempt < attempts; attempt++) {
      semicolon = text.indexOf(';', semicolon + 1)
      if (semicolon < 0) return undefined
      const { trees, mistake } = parseStretch(text.slice(base, semicolon + 1), base)
      if (mistake && mistake.index < found.index && !isUnfinished(mistake)) return undefined
      if (mistake) continue
      if (readsStdin(trees.at(-1)?.stmt)) return semicolon + 1
      base = semicolon + 1
      hint.lastIndex = base
      break
    }
  }
  return undefined
}

/** What the parser says about a text that is cut off within a string, a comment or a body. */
function isUnfinished({ message }: Complaint): boolean {
  return /^unterminated|at end of input$/.test(message)
}

interface ParsedStretch {
  readonly sql: string
  readonly trees: readonly RawStatement[]
  readonly complaints: readonly Complaint[]
  readonly mistake: Complaint | undefined
}

/**
 * Parses SQL in which commands of psql may stand.
 *
 * A backslash outside of strings and comments is no SQL, so the parser stops exactly
 * there; the line is blanked and the rest is looked at again.
 */
function parseStretch(source: string, offset: number): ParsedStretch {
  const complaints: Complaint[] = []
  let sql = source
  for (;;) {
    try {
      const trees = sql === '' ? [] : ((parser().parseSync(sql).stmts ?? []) as unknown as readonly RawStatement[])
      return { sql, trees, complaints, mistake: undefined }
    } catch (error) {
      const { message, index } = mistakeOf(sql, error)
      if (sql[index] !== '\\') return { sql, trees: [], complaints, mistake: { message, index: offset + index } }
      const line = /^[^\r\n]*/.exec(sql.slice(index, index + 10_000))?.[0] ?? '\\'
      if (!isHarmless(sql, index, line)) complaints.push({ index: offset + index, message: aboutPsql(line) })
      sql = `${sql.slice(0, index)}${' '.repeat(line.length)}${sql.slice(index + line.length)}`
    }
  }
}

/**
 * `\restrict` and `\unrestrict` guard psql against what a dump might contain, and mean
 * nothing to whoever runs no commands of psql.
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-META-COMMAND-RESTRICT
 */
function isHarmless(sql: string, index: number, line: string): boolean {
  const lineStart = Math.max(sql.lastIndexOf('\n', index), sql.lastIndexOf('\r', index)) + 1
  return sql.slice(lineStart, index).trim() === '' && /^\\(un)?restrict\s+\w+\s*$/.test(line)
}

function aboutPsql(line: string): string {
  if (/^\\\.\s*$/.test(line)) return '\\. ends the rows of copy … from stdin, and there is none above it'
  const command = /^\\(?:[a-z_]+|\S?)/i.exec(line)?.[0]
  return `${command} is a command of psql, not SQL; obs runs SQL only`
}

/** The parser counts characters from 0. */
function mistakeOf(sql: string, error: unknown): Complaint {
  const message = error instanceof Error ? error.message : String(error)
  const details = error instanceof Error && 'sqlDetails' in error ? (error.sqlDetails as Node) : {}
  const position = details['cursorPosition']
  const index = typeof position === 'number' ? indexOfPosition(sql, Math.max(0, position) + 1) : 0
  return { index, message: isVariable(sql, index) ? 'variables of psql (:name) are not filled in' : message }
}

function isVariable(sql: string, index: number): boolean {
  return /^:['"]?[a-z_]/i.test(sql.slice(index, index + 3))
}

/** The lines after the statement that ends at `end`, up to the one that holds `\.` alone. */
function rowsAfter(
  text: string,
  end: number,
): { readonly rows: CopyRows | undefined; readonly complaints: readonly Complaint[]; readonly next: number } {
  const lineEnd = text.indexOf('\n', end)
  const rest = text.slice(end, lineEnd < 0 ? undefined : lineEnd)
  const stray = rest.search(/\S/)
  const begin = lineEnd < 0 ? text.length : lineEnd + 1
  const last = endOfRows(text, begin)
  const next = last === undefined ? text.length : nextLine(text, last)
  const complaints: Complaint[] = []
  if (stray >= 0 && !rest.startsWith('--', stray)) {
    const message = 'the rows of copy … from stdin begin on the next line; give this a line of its own below them'
    complaints.push({ index: end + stray, message })
  }
  if (last === undefined) {
    const message = 'the rows of copy … from stdin have no end; below them goes a line with \\. and nothing else'
    complaints.push({ index: end - 1, message })
  }
  return { rows: { index: begin, text: text.slice(begin, last) }, complaints, next }
}

function endOfRows(text: string, begin: number): number | undefined {
  for (let index = text.indexOf('\\.', begin); index >= 0; index = text.indexOf('\\.', index + 1)) {
    const startsLine = index === begin || text[index - 1] === '\n'
    const after = text.slice(index + 2, index + 4)
    if (startsLine && (after === '' || after === '\r' || after[0] === '\n' || after === '\r\n')) return index
  }
  return undefined
}

function nextLine(text: string, index: number): number {
  const newline = text.indexOf('\n', index)
  return newline < 0 ? text.length : newline + 1
}

import { Readable } from 'node:stream'
import type { Session } from '../../database/connect.js'
import { copyIn } from '../../database/copy-in.js'
import type { Statement } from '../statements/statements.js'
import type { CopyRows, Node } from '../statements/take-apart.js'

/** Runs a `copy … from stdin` in the session, with the rows that stand below it in the file. */
export async function runCopy(session: Session, sql: string, rows: CopyRows): Promise<void> {
  await copyIn(session, sql, Readable.from(portions(rows.text)))
}

const portion = 65_536

/** Whole lines, so that no character is cut in two. */
function* portions(text: string): Iterable<Buffer> {
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf('\n', from + portion)
    const to = newline < 0 ? text.length : newline + 1
    yield Buffer.from(text.slice(from, to))
    from = to
  }
}

/**
 * Where in the file the line of data is that the server refused, as a JavaScript string
 * index; undefined when it names none.
 *
 * The server says `COPY <table>, line 3, column id: …` in the context of the error, in
 * its own language.
 */
export function indexOfRow({ tree, rows }: Statement, context: string | undefined): number | undefined {
  const copy = tree?.['CopyStmt'] as { relation?: Node } | undefined
  if (!rows || !copy || !context) return undefined
  const beginning = `COPY ${String(copy.relation?.['relname'])}, `
  const said = context.split('\n').find((line) => line.startsWith(beginning))
  const line = /^\D*(\d+)/.exec(said?.slice(beginning.length) ?? '')?.[1]
  return line === undefined ? undefined : rows.index + startOfLine(rows.text, Number(line))
}

function startOfLine(text: string, line: number): number {
  let index = 0
  for (let left = line - 1; left > 0; left--) {
    const newline = text.indexOf('\n', index)
    if (newline < 0) return index
    index = newline + 1
  }
  return index
}

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { RunContext } from '../context.js'
import { ObsError } from '../errors.js'
import { type Session, type Sql, throwIfAborted } from './connect.js'
import { copyIn } from './copy-in.js'
import { quoteIdentifier, quoteQualified } from './quote.js'

/** Where the rows of a CSV file go. */
export interface CsvTarget {
  readonly schema: string
  readonly table: string
  /** The columns in the order of the file; those its header names by default. */
  readonly columns?: readonly string[]
}

/** A CSV file is missing, unreadable or has no header. */
export class CsvFileError extends ObsError {
  constructor(
    readonly file: string,
    problem: string,
    cause?: unknown,
  ) {
    super(`cannot load ${file}: ${problem}`, {
      code: 'csv_unreadable',
      hint: 'Name a readable CSV file whose first line holds the names of the columns; no row was loaded.',
      details: { file },
      cause,
    })
  }
}

/**
 * Streams a CSV file with a header into a table by COPY and returns the number of rows.
 *
 * An unquoted empty field is NULL, a quoted one the empty string. Columns that the file
 * leaves out get their defaults, so a serial id continues its sequence. All rows are
 * loaded or none. The server compares the header with the columns.
 *
 * @throws CsvFileError when the file cannot be read.
 */
export async function loadCsv(
  sql: Sql | Session,
  target: CsvTarget,
  file: string,
  context: RunContext,
): Promise<number> {
  throwIfAborted(context.signal)
  const columns = target.columns ?? (await headerOf(file))
  const source = await open(file)
  const rows = await copyIn(sql, copyStatement(target, columns), source)
  context.progress.advance(rows, rows, 'rows')
  return rows
}

function copyStatement({ schema, table }: CsvTarget, columns: readonly string[]): string {
  const list = columns.map(quoteIdentifier).join(', ')
  return `copy ${quoteQualified(schema, table)} (${list}) from stdin (format csv, header match, encoding 'UTF8')`
}

async function headerOf(file: string): Promise<readonly string[]> {
  const [line = ''] = (await firstBytes(file)).split(/\r?\n/, 1)
  if (line === '') throw new CsvFileError(file, 'it has no header')
  return line.split(',').map((name) => name.replace(/^"(.*)"$/, '$1').replaceAll('""', '"'))
}

async function firstBytes(file: string): Promise<string> {
  const source = await open(file, { end: 65_535 })
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Waits until the file is open, so that a missing one is told before a COPY begins. */
async function open(file: string, options: { readonly end?: number } = {}): Promise<Readable> {
  const source = createReadStream(file, options)
  try {
    await once(source, 'open')
    return source
  } catch (error) {
    throw new CsvFileError(file, error instanceof Error ? error.message : String(error), error)
  }
}

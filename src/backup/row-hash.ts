import type { Session, Sql } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'

/** Which rows to hash: a table's own, not those of its partitions or of what inherits from it. */
export interface RowSelection {
  readonly schema: string
  readonly name: string
  /** The columns that a backup copies, in any order. */
  readonly columns: readonly string[]
  /** A condition on the rows, with its WHERE. */
  readonly where?: string | undefined
}

/** Rows as a number that is compared by equality. */
export interface RowHash {
  readonly rows: number
  /** Decimal number. */
  readonly hash: string
}

/**
 * Hashes the rows of some tables in one statement, in the session's snapshot.
 *
 * A row adds the hash of its text, as a record of its columns by name, so neither the order of the rows
 * nor that of the columns matters, duplicates do not cancel, and NULL differs from ''. Under the
 * settings of a backup, values have the same text on every server from PostgreSQL 15 to 18, whatever
 * its locale. Generated columns are not part of it, because a restore computes them anew.
 */
export async function hashRows(sql: Sql | Session, selections: readonly RowSelection[]): Promise<readonly RowHash[]> {
  if (selections.length === 0) return []
  const rows = await sql.unsafe<{ n: number; rows: number; hash: string }[]>(
    selections.map(hashQuery).join('\nunion all\n'),
  )
  const byNumber = new Map(rows.map((row) => [row.n, row]))
  return selections.map((_, n) => ({ rows: byNumber.get(n)?.rows ?? 0, hash: byNumber.get(n)?.hash ?? '0' }))
}

function hashQuery({ schema, name, columns, where }: RowSelection, n: number): string {
  const names = columns.map(quoteIdentifier).sort()
  return `select ${n} as n, count(*) as rows,
    coalesce(sum(hashtextextended(row(${names.join(', ')})::text collate "C", 0)), 0)::text as hash
    from only ${quoteQualified(schema, name)} ${where ?? ''}`
}

/** The hash of a table whose rows were hashed in parts. */
export function addHashes(parts: readonly RowHash[]): RowHash {
  const rows = parts.reduce((total, part) => total + part.rows, 0)
  const hash = parts.reduce((total, part) => total + BigInt(part.hash), 0n)
  return { rows, hash: hash.toString() }
}

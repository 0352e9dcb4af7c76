import { UsageError } from '../../errors.js'

/** A table as a person names it. */
export interface NamedTable {
  readonly schema: string
  readonly name: string
}

/**
 * Reads `schema.table`, or `table` of the schema public. A name with a point or a quote in it is
 * written in double quotes, as in SQL.
 */
export function tableName(text: string): NamedTable {
  const part = '("(?:[^"]|"")+"|[^".]+)'
  const [, first, second] = new RegExp(`^${part}(?:\\.${part})?$`, 's').exec(text) ?? []
  if (first === undefined) {
    throw new UsageError(`--table ${JSON.stringify(text)} is not the name of a table`, {
      code: 'invalid_table',
      hint: 'Write it as table or schema.table, with double quotes around a part that has a point or a quote in it.',
      details: { table: text },
    })
  }
  const bare = (name: string) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
  return second === undefined ? { schema: 'public', name: bare(first) } : { schema: bare(first), name: bare(second) }
}

/** For a flag that may be given several times. */
export function collectTables(text: string, before: readonly NamedTable[] = []): readonly NamedTable[] {
  return [...before, tableName(text)]
}

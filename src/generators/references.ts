import { Readable } from 'node:stream'
import type { Session } from '../database/connect.js'
import { copyIn } from '../database/copy-in.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../database/quote.js'
import { copyRows } from './copy-rows.js'
import type { ReferenceIds, ReferenceTable } from './pack.js'

const staging = 'obs_reference_rows'

/**
 * Inserts reference rows and returns how many were new.
 *
 * A row whose key exists is left as it is, unless one of `replacedRuns` made it: then
 * it gets the values of this run. The rows go through a temporary table, because COPY
 * cannot skip rows that exist.
 */
export async function insertReferences(
  session: Session,
  schema: string,
  reference: ReferenceTable,
  replacedRuns: readonly string[],
): Promise<number> {
  const table = quoteQualified(schema, reference.table)
  const columns = reference.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  await session.unsafe(`create temporary table ${staging} (like ${table} including defaults) on commit drop`)
  await copyIn(session, `copy ${staging} (${columns}) from stdin`, Readable.from([copyRows(reference.rows)]))
  const [row] = await session.unsafe<{ inserted: number }[]>(`
    with upserted as (
      insert into ${table} as existing (${columns})
      select ${columns} from ${staging}
      on conflict (${reference.key.map(quoteIdentifier).join(', ')}) ${onConflict(reference, replacedRuns)}
      -- xmax is zero for a row that is new and names this transaction for one that was updated.
      returning existing.xmax = 0 as is_new
    )
    select count(*) filter (where is_new) as inserted from upserted`)
  await session.unsafe(`drop table ${staging}`)
  return row?.inserted ?? 0
}

/** The ids of reference rows, by table and code. */
export type IdsByCode = Readonly<Record<string, Readonly<Record<string, string>>>>

/**
 * The ids that reference rows have in the database, or will have once they are inserted.
 *
 * @param coded the tables that are asked for, and the column that holds the code.
 */
export async function readIds(
  session: Session,
  schema: string,
  workspace: string,
  coded: Readonly<Record<string, string>>,
  references: readonly ReferenceTable[],
): Promise<IdsByCode> {
  const ids: Record<string, Record<string, string>> = {}
  for (const [table, column] of Object.entries(coded)) {
    const present = await session<{ code: string; id: string }[]>`
      select ${session(column)} as code, id from ${session(schema)}.${session(table)} where workspace_id = ${workspace}`
    const coming = references
      .filter((reference) => reference.table === table)
      .flatMap((reference) => codes(reference, column))
    ids[table] = Object.fromEntries([...coming, ...present.map(({ code, id }) => [code, id])])
  }
  return ids
}

/** @throws Error when a code is asked for that has no id. */
export function idsFrom(ids: IdsByCode): ReferenceIds {
  return (table, code) => {
    const id = ids[table]?.[code]
    if (id === undefined) throw new Error(`${table} has no ${code}`)
    return id
  }
}

function codes({ columns, rows }: ReferenceTable, column: string): [string, string][] {
  const [code, id] = [column, 'id'].map((wanted) => columns.findIndex(({ name }) => name === wanted))
  return rows.map((row) => [row[code ?? -1] ?? '', row[id ?? -1] ?? ''])
}

function onConflict(reference: ReferenceTable, replacedRuns: readonly string[]): string {
  if (replacedRuns.length === 0) return 'do nothing'
  const changes = reference.columns
    .map(({ name }) => name)
    .filter((column) => !reference.key.includes(column) && column !== 'id')
    .map((column) => `${quoteIdentifier(column)} = excluded.${quoteIdentifier(column)}`)
  const runs = replacedRuns.map(quoteLiteral).join(', ')
  return `do update set ${changes.join(', ')} where existing.metadata->>'obs_run' in (${runs})`
}

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

/** Looks up the ids that reference rows have in the database, by table and code. */
export async function readIds(
  session: Session,
  schema: string,
  workspace: string,
  coded: Readonly<Record<string, string>>,
): Promise<ReferenceIds> {
  const ids = new Map<string, string>()
  for (const [table, column] of Object.entries(coded)) {
    const rows = await session<{ code: string; id: string }[]>`
      select ${session(column)} as code, id from ${session(schema)}.${session(table)} where workspace_id = ${workspace}`
    for (const { code, id } of rows) ids.set(`${table} ${code}`, id)
  }
  return (table, code) => {
    const id = ids.get(`${table} ${code}`)
    if (id === undefined) throw new Error(`${table} has no ${code}`)
    return id
  }
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

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

/** The ids of reference rows, by workspace, table and code. */
export type ReferenceIdsByName = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>

/**
 * The ids that reference rows have in the database, or will have once they are inserted.
 *
 * @param coded the tables that are asked for, and the column that holds the code.
 */
export async function readIds(
  session: Session,
  schema: string,
  workspaces: readonly string[],
  coded: Readonly<Record<string, string>>,
  references: readonly ReferenceTable[],
): Promise<ReferenceIdsByName> {
  const ids: Record<string, Record<string, Record<string, string>>> = {}
  for (const [table, column] of Object.entries(coded)) {
    const present = await session<CodedRow[]>`
      select workspace_id as workspace, ${session(column)} as code, id from ${session(schema)}.${session(table)}
      where workspace_id = any(${[...workspaces]}::uuid[])`
    for (const { workspace, code, id } of [...codedRows(references, table, column), ...present]) {
      const byTable = ids[workspace] ?? {}
      ids[workspace] = byTable
      byTable[table] = { ...byTable[table], [code]: id }
    }
  }
  return ids
}

/** A row that facts refer to by its id, and are generated for by its code. */
export interface CodedRow {
  readonly workspace: string
  readonly code: string
  readonly id: string
}

/** @throws Error when a code is asked for that has no id. */
export function idsFrom(ids: ReferenceIdsByName): ReferenceIds {
  return (table, code, workspace) => {
    const id = ids[workspace]?.[table]?.[code]
    if (id === undefined) throw new Error(`${table} has no ${code} in workspace ${workspace}`)
    return id
  }
}

/** The rows of a table that references are about to insert. */
export function codedRows(references: readonly ReferenceTable[], table: string, column: string): readonly CodedRow[] {
  return references
    .filter((reference) => reference.table === table)
    .flatMap(({ columns, rows }) => {
      const place = (wanted: string) => columns.findIndex(({ name }) => name === wanted)
      const [workspace, code, id] = [place('workspace_id'), place(column), place('id')]
      return rows.map((row) => ({ workspace: row[workspace] ?? '', code: row[code] ?? '', id: row[id] ?? '' }))
    })
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

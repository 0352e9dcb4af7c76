import { Readable } from 'node:stream'
import postgres from 'postgres'
import type { Session } from '../../database/connect.js'
import { copyIn } from '../../database/copy-in.js'
import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import { CopyBuffer, copyHeader, copyTrailer } from '../copy-binary.js'
import type { CompiledTable } from './compile.js'
import type { TablePlan } from './plan.js'
import type { Problem } from './spec.js'
import { UnfitValueError } from './table-plan.js'

/** Rows of each table that are tried. */
const tried = 400

/**
 * Tries some rows of every table on a temporary one of the same columns, and says which
 * conditions they do not meet. Nothing stays behind.
 *
 * Foreign keys are not looked at: the rows that are referred to are not there yet.
 */
export async function rehearse(
  session: Session,
  tables: readonly { readonly compiled: CompiledTable; readonly plan: TablePlan<number> }[],
): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  await session`begin`
  try {
    for (const { compiled, plan } of tables) problems.push(...(await rehearseTable(session, compiled, plan)))
    return problems
  } finally {
    await session`rollback`
  }
}

async function rehearseTable(
  session: Session,
  compiled: CompiledTable,
  plan: TablePlan<number>,
): Promise<readonly Problem[]> {
  const { catalog, name } = compiled
  const stage = 'obs_rehearsal'
  try {
    const rows = encodeSome(compiled, plan)
    await session`savepoint obs_rehearsal`
    await session.unsafe(
      `create temporary table ${stage} (like ${quoteQualified(catalog.schema, catalog.name)} including defaults including generated)`,
    )
    const columns = plan.columns.map((column) => quoteIdentifier(column.name)).join(', ')
    await copyIn(session, `copy pg_temp.${stage} (${columns}) from stdin (format binary)`, Readable.from([rows]))
    const found = [...(await brokenChecks(session, compiled, stage)), ...(await homeless(session, compiled, stage))]
    await session.unsafe(`drop table pg_temp.${stage}`)
    return found
  } catch (error) {
    const problem = problemOf(error, name)
    if (!problem) throw error
    if (error instanceof postgres.PostgresError) await session`rollback to savepoint obs_rehearsal`
    return [problem]
  }
}

function encodeSome(compiled: CompiledTable, plan: TablePlan<number>): Buffer {
  const buffer = new CopyBuffer()
  const step = Math.max(1, compiled.rows / tried)
  const fields = plan.columns.length
  for (let place = 0; place < compiled.rows; place += step) {
    buffer.row(fields)
    for (const column of plan.columns) column.write(compiled.first + Math.floor(place), buffer)
  }
  return Buffer.concat([copyHeader, buffer.content, copyTrailer])
}

async function brokenChecks(
  session: Session,
  { catalog, name }: CompiledTable,
  stage: string,
): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const { name: check, condition, columns } of catalog.checks) {
    const [row] = await session.unsafe<{ broken: number; rows: number }[]>(`
      select count(*) filter (where not (${condition}))::int as broken, count(*)::int as rows from pg_temp.${stage}`)
    if (!row || row.broken === 0) continue
    const [only] = columns
    const path = columns.length === 1 && only !== undefined ? ['tables', name, 'columns', only] : ['tables', name]
    const which = columns.length > 1 ? ` of ${columns.join(', ')}` : ''
    problems.push({
      path,
      columns,
      message: `${row.broken} of ${row.rows} rows violate the check ${check}${which}: ${condition}`,
    })
  }
  return problems
}

/** Rows that no partition takes. */
async function homeless(
  session: Session,
  { catalog, name }: CompiledTable,
  stage: string,
): Promise<readonly Problem[]> {
  if (!catalog.partitions) return []
  const leaves = await session.unsafe<{ condition: string | null }[]>(`
    select pg_get_partition_constraintdef(relid) as condition
    from pg_partition_tree('${quoteQualified(catalog.schema, catalog.name).replaceAll("'", "''")}'::regclass) where isleaf and level > 0`)
  const conditions = leaves.map(({ condition }) => condition ?? 'true')
  const [row] = await session.unsafe<{ homeless: number; rows: number }[]>(`
    select count(*) filter (where not (${conditions.map((condition) => `(${condition})`).join(' or ') || 'false'}))::int as homeless,
           count(*)::int as rows from pg_temp.${stage}`)
  if (!row || row.homeless === 0) return []
  return [{ path: ['tables', name], message: `${row.homeless} of ${row.rows} rows fit into no partition` }]
}

function problemOf(error: unknown, table: string): Problem | undefined {
  if (error instanceof UnfitValueError)
    return { path: ['tables', table, 'columns', error.column], message: `${error.message}` }
  if (!(error instanceof postgres.PostgresError) || !/^(22|23)/.test(error.code)) return undefined
  const column = error.column_name ?? /column "?([^":,]+)"?/.exec(error.where ?? '')?.[1]
  const path = column === undefined ? ['tables', table] : ['tables', table, 'columns', column]
  return { path, message: error.message }
}

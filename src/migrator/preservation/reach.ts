import type { Session } from '../../database/connect.js'
import { type PreparedStep, touched } from '../apply/step-run.js'
import type { Statement } from '../statements/statements.js'
import { mentionedTables } from './mentioned-tables.js'
import type { TableName } from './touched-tables.js'

/** The existing tables whose rows a plan can alter, or why it may be any of them. */
export type Reach =
  | { readonly tables: readonly { readonly schema: string; readonly name: string }[] }
  | { readonly anyBecause: string }

/**
 * Finds out which tables a plan can alter.
 *
 * Statements that write rows are followed into triggers and cascades. What a function or a DO block
 * does cannot be told from its text, and then it may be any table.
 */
export async function reachOf(session: Session, schema: string, steps: readonly PreparedStep[]): Promise<Reach> {
  const named: TableName[] = []
  const texts: string[] = []
  for (const step of steps) {
    const what = touched(step)
    if (what === 'all') return { anyBecause: `${step.migration.id} is a function` }
    const opaque = what.uncertain.find((statement) => !writesRows(statement))
    if (opaque) return { anyBecause: `${step.migration.id} runs ${firstWords(opaque.sql)}` }
    named.push(...what.tables)
    texts.push(...what.uncertain.map((statement) => statement.sql))
  }
  const mentioned = texts.length === 0 ? [] : await mentionedTables(session, schema, texts)
  return { tables: await existing(session, schema, [...named, ...mentioned]) }
}

const writers = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'TruncateStmt', 'CopyStmt'])

/** What it alters stands in its text, and in the functions and triggers of what it names. */
function writesRows({ tree }: Statement): boolean {
  const [kind = ''] = Object.keys(tree ?? {})
  return writers.has(kind)
}

function firstWords(sql: string): string {
  const words = sql.trim().split(/\s+/).slice(0, 3).join(' ')
  return words.length > 40 ? `${words.slice(0, 40)}…` : words
}

async function existing(session: Session, schema: string, names: readonly TableName[]) {
  const wanted = names.map((one) => ({ schema: one.schema ?? null, table: one.table }))
  return session<{ schema: string; name: string }[]>`
    select distinct n.nspname as schema, c.relname as name
    from jsonb_to_recordset(${session.json(wanted as never)}) as wanted (schema name, "table" name)
    join pg_class c on c.relname = wanted."table" and c.relkind in ('r', 'p')
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = coalesce(wanted.schema, ${schema}) or (wanted.schema is null and n.nspname = 'public')
    order by 1, 2`
}

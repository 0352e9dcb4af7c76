import { quietContext, type RunContext } from '../../context.js'
import { type Session, throwIfAborted } from '../../database/connect.js'
import { type PlanRun, preparePlan, readCatalog, tablePlans, UnusablePlanError } from '../library/prepare.js'
import { rehearse } from '../library/rehearse.js'
import { type AnyColumn, type Problem, type RowsSpec, type SeedSpec, seedSchema } from '../library/spec.js'
import type { SampleTable } from '../samples/model.js'
import { type Choice, chooseColumn, sampled } from './choose.js'
import { chooseJointly } from './joint.js'
import { chooseReferences, type Parents } from './relations.js'

export interface InferOptions {
  /** Rows of a table that refers to others; those that only are referred to get a tenth. */
  readonly rows: number
  readonly run: PlanRun
}

/** A plan that was read off a schema, and why it is as it is. */
export interface Inferred {
  readonly tables: Readonly<Record<string, InferredTable>>
  /** Tables that could not be described. */
  readonly left: readonly { readonly table: string; readonly reason: string }[]
}

export interface InferredTable {
  readonly rows: RowsSpec
  /** Why there are fewer rows than were asked for. */
  readonly note?: string | undefined
  readonly columns: Readonly<Record<string, Choice>>
}

/**
 * Proposes a plan for every table of a schema, and tries it: some rows of every table are
 * made and held against its conditions, and what does not hold is mended (fewer rows, a
 * plainer generator, combinations that the server admits) or left out with the reason.
 *
 * Changes nothing. The session has to stand outside of a transaction.
 */
export async function inferPlan(
  session: Session,
  schema: string,
  options: InferOptions,
  context: RunContext = quietContext(),
): Promise<Inferred> {
  context.progress.step('reading the schema')
  const catalog = await readCatalog(session, schema, await tableNames(session, schema))
  const draft = await propose(session, catalog, options)
  context.progress.step('trying the plan')
  for (let round = 0; round < mostRounds && draft.tables.size > 0; round++) {
    throwIfAborted(context.signal)
    const problems = await problemsOf(session, schema, draft, options.run)
    if (problems.length === 0) break
    for (const problem of problems) await mend(session, catalog, draft, problem, options)
  }
  return { tables: Object.fromEntries([...draft.tables]), left: draft.left }
}

/** Each round mends or drops something; a schema of a thousand tables needs no more. */
const mostRounds = 60

/** The plan as a configuration holds it. */
export function specOf({ tables }: Inferred): SeedSpec {
  const entries = Object.entries(tables).map(([name, { rows, columns }]) => [
    name,
    { rows, columns: Object.fromEntries(Object.entries(columns).map(([column, { spec }]) => [column, spec])) },
  ])
  return seedSchema.parse({ tables: Object.fromEntries(entries) })
}

interface Draft {
  readonly tables: Map<string, Mutable>
  readonly left: { readonly table: string; readonly reason: string }[]
}

interface Mutable {
  rows: RowsSpec
  note?: string
  readonly columns: Record<string, Choice>
}

async function tableNames(session: Session, schema: string): Promise<readonly string[]> {
  const rows = await session<{ name: string }[]>`
    select c.relname::text as name
    from pg_class c
    where c.relnamespace = to_regnamespace(quote_ident(${schema})) and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname`
  return rows.map(({ name }) => name)
}

async function propose(
  session: Session,
  catalog: ReadonlyMap<string, SampleTable>,
  options: InferOptions,
): Promise<Draft> {
  const draft: Draft = { tables: new Map(), left: [] }
  const parents: Parents = new Map(
    [...catalog.values()].filter(({ obstacle }) => !obstacle).map(({ path, name }) => [path, name]),
  )
  for (const [name, table] of catalog) {
    if (table.columns.length === 0) draft.left.push({ table: name, reason: 'it has no column to fill' })
    else draft.tables.set(name, { rows: rowsFor(table, catalog, options.rows), columns: {} })
  }
  for (const name of [...draft.tables.keys()]) await proposeTable(session, catalog, draft, parents, name, options)
  return draft
}

async function proposeTable(
  session: Session,
  catalog: ReadonlyMap<string, SampleTable>,
  draft: Draft,
  parents: Parents,
  name: string,
  { run }: InferOptions,
): Promise<void> {
  const table = catalog.get(name)
  const target = draft.tables.get(name)
  if (!table || !target) return
  const references = chooseReferences(table, parents)
  if ('parent' in references)
    return drop(catalog, draft, name, `it has to refer to ${references.parent}, which is not in the schema`)
  for (const column of table.columns)
    target.columns[column.name] = references.get(column.name) ?? chooseColumn(table, column)
  for (const group of tiedColumns(table)) await tie(session, table, target, group, run.seed)
  if (table.exclusions.length > 0) {
    target.rows = 1
    target.note = `one row, because of the exclusion constraint ${table.exclusions[0]}`
  }
}

/** Tables that nothing but others refer to are small; the rest has as many rows as were asked for. */
function rowsFor(table: SampleTable, catalog: ReadonlyMap<string, SampleTable>, rows: number): number {
  const refers = table.foreignKeys.some(({ parent }) => parent !== table.path)
  const isReferred = [...catalog.values()].some(
    (other) => other !== table && other.foreignKeys.some(({ parent }) => parent === table.path),
  )
  return !refers && isReferred ? Math.max(1, Math.ceil(rows / 10)) : rows
}

/** Columns that conditions tie to each other, beyond what generators see to. */
function tiedColumns(table: SampleTable): readonly (readonly string[])[] {
  const groups: Set<string>[] = []
  for (const { columns, isRead } of table.checks) {
    if (columns.length < 2 || (isRead && columns.every((name) => isTimeOrCopy(table, name)))) continue
    const touching = groups.filter((group) => columns.some((name) => group.has(name)))
    const joined = new Set([...columns, ...touching.flatMap((group) => [...group])])
    for (const group of touching) groups.splice(groups.indexOf(group), 1)
    groups.push(joined)
  }
  return groups.map((group) => [...group])
}

function isTimeOrCopy(table: SampleTable, name: string): boolean {
  const column = table.columns.find((one) => one.name === name)
  if (!column) return false
  const isTime = /^(timestamp|date)/.test(column.typeName)
  return isTime || column.rules.sameAs !== undefined || table.columns.some(({ rules }) => rules.sameAs === name)
}

/** Columns that refer to rows keep to that; the others are chosen for them all together. */
async function tie(
  session: Session,
  table: SampleTable,
  target: Mutable,
  group: readonly string[],
  seed: number,
): Promise<boolean> {
  const isFree = (name: string) =>
    !['references', 'sequence'].includes(target.columns[name]?.spec.generator ?? 'sequence')
  const free = group.filter(isFree)
  if (free.length < 2) return false
  const chosen = await chooseJointly(session, table, free, seed)
  for (const [name, choice] of chosen ?? []) target.columns[name] = choice
  return chosen !== undefined
}

async function problemsOf(session: Session, schema: string, draft: Draft, run: PlanRun): Promise<readonly Problem[]> {
  const spec = specOf({ tables: Object.fromEntries(draft.tables), left: [] })
  try {
    const prepared = await preparePlan(session, schema, spec, run)
    return await rehearse(session, tablePlans(prepared))
  } catch (error) {
    if (error instanceof UnusablePlanError) return error.problems
    throw error
  }
}

/** Takes one step towards a plan without the problem. */
async function mend(
  session: Session,
  catalog: ReadonlyMap<string, SampleTable>,
  draft: Draft,
  problem: Problem,
  { run }: InferOptions,
): Promise<void> {
  const [, name = '', , columnName] = problem.path
  const table = catalog.get(name)
  const target = draft.tables.get(name)
  // It may have gone with another one of the same round.
  if (!table || !target) return
  if (problem.capacity !== undefined) return shrink(target, problem.capacity, problem.message)
  if (columnName === undefined) {
    const columns = problem.columns ?? []
    const untied = columns.some((column) => target.columns[column]?.spec['together'] === undefined)
    if (untied && (await tie(session, table, target, columns, run.seed))) return
    return drop(catalog, draft, name, problem.message)
  }
  const current = target.columns[columnName]
  const column = table.columns.find((one) => one.name === columnName)
  if (!current || !column) return drop(catalog, draft, name, problem.message)
  const plainer = plainerThan(current.spec, column.notNull)
  if (plainer)
    target.columns[columnName] = {
      ...plainer,
      reason: `${plainer.reason} (${current.spec.generator}: ${problem.message})`,
    }
  else drop(catalog, draft, name, `${columnName}: ${problem.message}`)
}

function shrink(target: Mutable, capacity: number, message: string): void {
  const rows = typeof target.rows === 'number' ? target.rows : Number.POSITIVE_INFINITY
  target.rows = capacity > 0 && capacity < rows ? capacity : 1
  target.note = `${target.rows} rows: ${message}`
}

function plainerThan({ generator }: AnyColumn, notNull: boolean): Choice | undefined {
  if (generator === 'null') return undefined
  if (generator !== 'references' && generator !== 'sample' && generator !== 'sequence')
    return sampled('everyday values of its type')
  return notNull ? undefined : { spec: { generator: 'null' }, reason: 'left empty' }
}

/** Leaves a table out, and with it those that have to refer to it. */
function drop(catalog: ReadonlyMap<string, SampleTable>, draft: Draft, name: string, reason: string): void {
  if (!draft.tables.delete(name)) return
  draft.left.push({ table: name, reason })
  const gone = catalog.get(name)
  for (const [other, target] of draft.tables) {
    const table = catalog.get(other)
    for (const key of table?.foreignKeys ?? []) {
      if (key.parent !== gone?.path) continue
      const optional = key.columns.filter((column) => !table?.columns.some((one) => one.name === column && one.notNull))
      for (const column of optional)
        target.columns[column] = { spec: { generator: 'null' }, reason: `${name} has no rows to refer to` }
      if (optional.length === 0) drop(catalog, draft, other, `it has to refer to ${name}, which is left out`)
    }
  }
}

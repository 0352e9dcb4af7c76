import { UsageError } from '../../errors.js'
import type { SampleTable } from '../samples/model.js'
import { readSampleTables } from '../samples/read-model.js'
import { checkAgainstCatalog } from './check-plan.js'
import { type CompiledTable, compileTables, SpecProblem, type World } from './compile.js'
import { encoderFor, familyOf } from './encoders.js'
import { readExisting } from './existing.js'
import type { ReferredRows, Value } from './generator.js'
import { loadOrder } from './order.js'
import type { TablePlan } from './plan.js'
import { acceptedTexts, encodeTexts, nextNumbers, type Server } from './server.js'
import { type AnyColumn, type Problem, parseColumn, type SeedSpec, type TableSpec } from './spec.js'
import { type Literals, planOf } from './table-plan.js'

/** What of a plan cannot be used; nothing was changed. */
export class UnusablePlanError extends UsageError {
  constructor(readonly problems: readonly Problem[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
    const lines = problems.map(({ path, message }) => `  ${path.join('.')}: ${message}`)
    super([`the plan has ${count}:`, ...lines].join('\n'), {
      code: 'unusable_plan',
      hint: 'Correct the entry "seed" of the pack in the configuration; nothing was changed.',
      details: { problems: problems.map(({ path, message }) => ({ path: path.join('.'), message })) },
    })
  }
}

export interface PlanRun {
  readonly seed: number
  readonly days: number
  readonly scale: number
  /** Milliseconds since 1970. */
  readonly window: { readonly from: number; readonly to: number }
  readonly first?: Readonly<Record<string, number>>
}

/** Everything that tables are compiled from, in plain data but for functions that the plan holds. */
export interface Prepared {
  readonly tables: Readonly<Record<string, TableSpec>>
  readonly world: World
  readonly literals: Literals
  /** Parents first. */
  readonly order: readonly string[]
}

/**
 * Looks at the database for what a plan needs to know, and finds whatever of it cannot work.
 *
 * Reads only.
 *
 * @param starts where sequences began, of a run that is gone on with.
 * @throws UnusablePlanError naming every problem, each with its place in the plan.
 */
export async function preparePlan(
  sql: Server,
  schema: string,
  spec: SeedSpec,
  run: PlanRun,
  starts?: Readonly<Record<string, number>>,
): Promise<Prepared> {
  const names = Object.keys(spec.tables)
  const catalog = await readCatalog(sql, schema, [...names, ...referredTables(spec.tables)])
  refuseAny(checkAgainstCatalog(spec, catalog))
  const tables = withSequences(spec.tables, catalog)
  const place: PreparationPlace = { sql, catalog, seed: run.seed, asOf: new Date(run.window.to) }
  const prepared = await prepareValues(tables, place)
  const world: World = {
    catalog,
    run: { ...run, first: run.first ?? {}, window: { from: run.window.from * 1000, to: run.window.to * 1000 } },
    existing: await readReferred(sql, tables, catalog),
    starts: starts ? new Map(Object.entries(starts)) : await readStarts(sql, tables, catalog),
    prepared,
  }
  const compiled = compileTables(tables, world)
  const { order, problems } = loadOrder(names, catalog, isFilled(tables))
  refuseAny([...compiled.problems, ...problems])
  return { tables, world, literals: await encodeLiterals(sql, compiled.tables), order }
}

/** The plans of the tables, in the order in which they are loaded; pure. */
export function tablePlans({
  tables,
  world,
  literals,
  order,
}: Prepared): readonly { readonly compiled: CompiledTable; readonly plan: TablePlan<number> }[] {
  const compiled = compileTables(tables, world)
  const byName = new Map(compiled.tables.map((table) => [table.name, table]))
  return order.flatMap((name) => {
    const table = byName.get(name)
    return table ? [{ compiled: table, plan: planOf(table, literals) }] : []
  })
}

export function refuseAny(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new UnusablePlanError(problems)
}

export async function readCatalog(
  sql: Server,
  schema: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, SampleTable>> {
  const tables = await readSampleTables(
    sql,
    [...new Set(names)].map((name) => ({ schema, name })),
  )
  return new Map(tables.map((table) => [table.name, table]))
}

/** Tables that columns and counts refer to, whether the plan fills them or not. */
function referredTables(tables: Readonly<Record<string, TableSpec>>): readonly string[] {
  return Object.values(tables).flatMap(({ rows, columns }) => [
    ...(typeof rows === 'object' && 'per' in rows ? [rows.per] : []),
    ...Object.values(columns).flatMap((column) => allSpecs([], column).flatMap(({ spec }) => refersTo(spec))),
  ])
}

function refersTo(spec: AnyColumn): readonly string[] {
  const { generator, options } = parseColumn(spec)
  return generator.refersTo?.(options) ?? []
}

/** A column's generator and those inside it, with the names that lead to them. */
function allSpecs(
  names: readonly string[],
  spec: AnyColumn,
): readonly { readonly names: readonly string[]; readonly spec: AnyColumn }[] {
  const { generator, options } = parseColumn(spec)
  const inner = Object.entries(generator.inner?.(options) ?? {})
  return [{ names, spec }, ...inner.flatMap(([name, one]) => allSpecs([...names, name], one as AnyColumn))]
}

/** A column that the server counts is counted by the plan, because rows of other tables have to know its values. */
function withSequences(
  tables: Readonly<Record<string, TableSpec>>,
  catalog: ReadonlyMap<string, SampleTable>,
): Readonly<Record<string, TableSpec>> {
  const entries = Object.entries(tables).map(([name, spec]) => {
    const counted = (catalog.get(name)?.columns ?? []).filter(
      ({ name: column, source, type }) =>
        source !== 'given' && familyOf(type) === 'integer' && !(column in spec.columns),
    )
    const sequences = Object.fromEntries(counted.map((column) => [column.name, { generator: 'sequence' }]))
    return [name, { ...spec, columns: { ...sequences, ...spec.columns } }] as const
  })
  return Object.fromEntries(entries)
}

interface PreparationPlace {
  readonly sql: Server
  readonly catalog: ReadonlyMap<string, SampleTable>
  readonly seed: number
  readonly asOf: Date
}

async function prepareValues(
  tables: Readonly<Record<string, TableSpec>>,
  place: PreparationPlace,
): Promise<ReadonlyMap<string, readonly Value[]>> {
  const prepared = new Map<string, readonly Value[]>()
  const problems: Problem[] = []
  for (const [table, { columns }] of Object.entries(tables)) {
    for (const [column, spec] of Object.entries(columns)) {
      for (const { names, spec: one } of allSpecs([], spec)) {
        const values = await prepareOne(place, table, column, names, one).catch((error: unknown) => {
          if (!(error instanceof SpecProblem)) throw error
          problems.push(error.problem)
          return undefined
        })
        if (values) prepared.set([table, column, ...names].join('.'), values)
      }
    }
  }
  refuseAny(problems)
  return prepared
}

async function prepareOne(
  { sql, catalog, seed, asOf }: PreparationPlace,
  table: string,
  column: string,
  names: readonly string[],
  spec: AnyColumn,
): Promise<readonly Value[] | undefined> {
  const { generator, options } = parseColumn(spec)
  const described = catalog.get(table)
  const known = described?.columns.find((one) => one.name === column)
  if (!generator.prepare || !described || !known) return undefined
  return generator.prepare(options, {
    ...{ table, column, asOf, rules: known.rules },
    type: names.length === 0 ? known.type : { kind: 'base', name: 'text', modifier: -1 },
    seedText: JSON.stringify([seed, [table, column, ...names].join('.')]),
    accepted: async (texts) => (names.length === 0 ? acceptedTexts(sql, described, known, texts) : texts),
    refuse: (message) => {
      throw new SpecProblem({ path: ['tables', table, 'columns', column], message: `"${generator.name}" ${message}` })
    },
  })
}

/** The rows of tables that the plan refers to and does not fill. */
async function readReferred(
  sql: Server,
  tables: Readonly<Record<string, TableSpec>>,
  catalog: ReadonlyMap<string, SampleTable>,
): Promise<ReadonlyMap<string, ReferredRows>> {
  const wanted = new Map<string, Set<string>>()
  const want = (table: string, column: string | undefined) => {
    if (table in tables || !catalog.has(table)) return
    const columns = wanted.get(table) ?? new Set<string>()
    if (column !== undefined) columns.add(column)
    wanted.set(table, columns)
  }
  for (const spec of Object.values(tables)) {
    if (typeof spec.rows === 'object' && 'per' in spec.rows) {
      want(spec.rows.per, undefined)
      for (const column of parentColumns(spec)) want(spec.rows.per, column)
    }
    for (const one of Object.values(spec.columns)) {
      for (const { spec: inner } of allSpecs([], one)) {
        const { generator, options } = parseColumn(inner)
        for (const taken of generator.takes?.(options) ?? []) want(...split(taken))
        for (const path of generator.reads?.(options) ?? []) wantPath(spec, path, want)
      }
    }
  }
  const referred = new Map<string, ReferredRows>()
  for (const [name, columns] of wanted) {
    const table = catalog.get(name)
    const known = [...columns].filter((column) => table?.columns.some((one) => one.name === column))
    const first = table?.uniques[0] ?? table?.columns.slice(0, 1).map((column) => column.name) ?? []
    if (table) referred.set(name, await readExisting(sql, table, known.length > 0 ? known : first))
  }
  return referred
}

function parentColumns({ columns }: TableSpec): readonly string[] {
  return Object.values(columns).flatMap((spec) => (spec.generator === 'parent' ? [String(spec['column'])] : []))
}

function split(path: string): [string, string] {
  const dot = path.indexOf('.')
  return [path.slice(0, dot), path.slice(dot + 1)]
}

/** `customer_id.country` wants the column country of whatever customer_id refers to. */
function wantPath(spec: TableSpec, path: string, want: (table: string, column: string) => void): void {
  if (!path.includes('.')) return
  const [through, column] = split(path)
  const reference = spec.columns[through]
  if (reference?.generator === 'references') want(split(String(reference['column']))[0], column)
  if (reference?.generator === 'parent' && typeof spec.rows === 'object' && 'per' in spec.rows)
    want(spec.rows.per, column)
}

async function readStarts(
  sql: Server,
  tables: Readonly<Record<string, TableSpec>>,
  catalog: ReadonlyMap<string, SampleTable>,
): Promise<ReadonlyMap<string, number>> {
  const starts = new Map<string, number>()
  for (const [name, { columns }] of Object.entries(tables)) {
    const table = catalog.get(name)
    const counted = Object.entries(columns).filter(
      ([, spec]) => spec.generator === 'sequence' && spec['start'] === undefined,
    )
    if (!table || counted.length === 0) continue
    const next = await nextNumbers(
      sql,
      table,
      counted.map(([column]) => column),
    )
    for (const [column, start] of next) starts.set(`${name}.${column}`, start)
  }
  return starts
}

function isFilled(tables: Readonly<Record<string, TableSpec>>): (table: string, column: string) => boolean {
  return (table, column) => {
    const spec = tables[table]?.columns[column]
    return spec !== undefined && spec.generator !== 'null' && (spec.nulls ?? 0) < 1
  }
}

const nothing = new Uint8Array(0)

/** Has the server encode what is written as SQL writes it, and what has no encoder here. */
async function encodeLiterals(sql: Server, tables: readonly CompiledTable[]): Promise<Literals> {
  const literals = new Map<string, readonly Uint8Array[]>()
  const problems: Problem[] = []
  for (const table of tables) {
    for (const [name, { column, built, parsed }] of table.columns) {
      const path = ['tables', table.name, 'columns', name]
      const isKnown = encoderFor(column.type) !== undefined
      if (!built.finite?.literal) {
        const isWritten = isKnown || parsed.generator.name === 'null'
        if (!isWritten)
          problems.push({
            path,
            message: `"${parsed.generator.name}" cannot write the type ${column.typeName}; take sample, choice or constant`,
          })
        continue
      }
      const { finite } = built
      const values = Array.from({ length: finite.size }, (_, i) => finite.at(i))
      const texts = [...new Set(values.filter((value) => value !== null).map(String))]
      const fields = texts.length === 0 ? [] : await encodeTexts(sql, column, texts)
      if (Array.isArray(fields)) {
        const byText = new Map(texts.map((text, i) => [text, (fields as readonly Uint8Array[])[i] ?? nothing]))
        // A field of no bytes at all stands for null.
        literals.set(
          `${table.name}.${name}`,
          values.map((value) => byText.get(String(value)) ?? nothing),
        )
      } else if ('text' in fields)
        problems.push({ path, message: `the value ${JSON.stringify(fields.text)} is refused: ${fields.reason}` })
    }
  }
  refuseAny(problems)
  return literals
}

import { Random, streamKey } from '../random.js'
import type { SampleColumn, SampleTable } from '../samples/model.js'
import { familyOf } from './encoders.js'
import type { Built, Family, ParentRows, ReferredRows, Refers, Site, Value } from './generator.js'
import { assignKeys } from './keys.js'
import { countPerParent, mostParents } from './row-counts.js'
import {
  type AnyColumn,
  guessed,
  type ParsedColumn,
  type Problem,
  parseColumn,
  type RowsSpec,
  type TableSpec,
} from './spec.js'

/** What is known of a run and of the database before the first row. */
export interface World {
  /** The tables of the plan and those that they refer to, by name. */
  readonly catalog: ReadonlyMap<string, SampleTable>
  readonly run: {
    readonly seed: number
    readonly days: number
    readonly scale: number
    /** Microseconds since 1970. */
    readonly window: { readonly from: number; readonly to: number }
    /** The number of the first row of a table; 0 unless earlier runs left rows. */
    readonly first: Readonly<Record<string, number>>
  }
  /** Rows that are in the database, of tables that the plan does not fill. */
  readonly existing: ReadonlyMap<string, ReferredRows>
  /** Where sequences begin, by `table.column`. */
  readonly starts: ReadonlyMap<string, number>
  /** What generators prepared, by `table.column` and the names of those inside. */
  readonly prepared: ReadonlyMap<string, readonly Value[]>
}

/** A column put to work; `value` and `pick` change when a key takes the column over. */
export interface CompiledColumn {
  readonly column: SampleColumn
  readonly parsed: ParsedColumn
  readonly built: Built
  /** The value of a row, null included. */
  value: (row: number) => Value
  /** The number of the value of a row, of those that can be counted. */
  pick: ((row: number) => number) | undefined
  refers: Refers | undefined
  /** A key has taken the column over. */
  isTaken: boolean
  /** The column is a key by itself. */
  isKeyed: boolean
  isNull(row: number): boolean
}

export interface CompiledTable {
  readonly name: string
  readonly spec: TableSpec
  readonly catalog: SampleTable
  readonly first: number
  readonly rows: number
  readonly parent: ParentRows | undefined
  readonly columns: ReadonlyMap<string, CompiledColumn>
}

/** A place in a plan that cannot be used, thrown where it is found and collected with the others. */
export class SpecProblem extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message)
  }
}

/**
 * Puts every generator of a plan to work.
 *
 * Pure: the same plan and the same world give the same rows, in any thread. A column's
 * random numbers are named by the seed, its table and its own name, so that no other
 * column and no other table has a say in them.
 */
export function compileTables(
  tables: Readonly<Record<string, TableSpec>>,
  world: World,
): { readonly tables: readonly CompiledTable[]; readonly problems: readonly Problem[] } {
  const compiler = new Compiler(tables, world)
  const compiled = Object.keys(tables).flatMap(
    (name) => compiler.attempt(['tables', name], () => compiler.table(name)) ?? [],
  )
  for (const table of compiled) compiler.problems.push(...assignKeys(table, world.run.seed))
  return { tables: compiled, problems: compiler.problems }
}

class Compiler {
  readonly problems: Problem[] = []
  readonly #tables = new Map<string, CompiledTable>()
  readonly #counts = new Map<string, { readonly rows: number; readonly parent: ParentRows | undefined } | 'open'>()
  readonly #open = new Set<string>()

  constructor(
    readonly specs: Readonly<Record<string, TableSpec>>,
    readonly world: World,
  ) {}

  attempt<T>(path: readonly string[], work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (error instanceof SpecProblem) this.#report(error.problem)
      else if (error instanceof RangeError) this.#report({ path, message: error.message })
      else throw error
      return undefined
    }
  }

  /** One mistake is met on many ways and reported once. */
  #report(problem: Problem): void {
    const isKnown = this.problems.some(
      (one) => one.message === problem.message && one.path.join() === problem.path.join(),
    )
    if (!isKnown) this.problems.push(problem)
  }

  table(name: string): CompiledTable {
    const known = this.#tables.get(name)
    if (known) return known
    const spec = this.specs[name] as TableSpec
    const catalog = this.world.catalog.get(name)
    if (!catalog) throw new SpecProblem({ path: ['tables', name], message: 'is not in the database' })
    const { rows, parent } = this.count(name)
    const columns = new Map<string, CompiledColumn>()
    const table = { name, spec, catalog, first: this.first(name), rows, parent, columns }
    this.#tables.set(name, table)
    for (const column of Object.keys(spec.columns)) {
      this.attempt(['tables', name, 'columns', column], () => this.column(name, column))
    }
    return table
  }

  first(name: string): number {
    return this.world.run.first[name] ?? 0
  }

  count(name: string): { readonly rows: number; readonly parent: ParentRows | undefined } {
    const known = this.#counts.get(name)
    const path = ['tables', name, 'rows']
    if (known === 'open')
      throw new SpecProblem({ path, message: 'counts rows by a table that counts its rows by this one' })
    if (known) return known
    this.#counts.set(name, 'open')
    const counted = this.#countRows(name, (this.specs[name] as TableSpec).rows, path)
    this.#counts.set(name, counted)
    return counted
  }

  #countRows(name: string, spec: RowsSpec, path: readonly string[]) {
    const { run } = this.world
    if (typeof spec === 'object' && 'per' in spec) {
      const parents = this.rowsOf(spec.per, path).count
      if (parents > mostParents)
        throw new SpecProblem({ path, message: `${parents} rows of ${spec.per} are more than can be counted by` })
      const key = streamKey('rows', run.seed, name)
      const parent = countPerParent(key, spec.per, parents, this.first(name), spec)
      return { rows: parent.rows, parent }
    }
    const whole = typeof spec === 'function' ? spec(run.days) : typeof spec === 'object' ? spec.perDay * run.days : spec
    if (!(whole >= 0) || !Number.isFinite(whole))
      throw new SpecProblem({ path, message: `${whole} is no number of rows` })
    const rows = Math.round(whole * run.scale)
    return { rows: whole > 0 ? Math.max(1, rows) : 0, parent: undefined }
  }

  rowsOf(name: string, path: readonly string[]): ReferredRows {
    if (name in this.specs) {
      const first = this.first(name)
      return {
        table: name,
        count: this.count(name).rows,
        names: Object.keys(this.specs[name]?.columns ?? {}),
        column: (columnName) => {
          const column = this.column(name, columnName, path)
          return (index) => column.value(first + index)
        },
      }
    }
    const existing = this.world.existing.get(name)
    if (existing) return existing
    const names = [...Object.keys(this.specs), ...this.world.catalog.keys()]
    throw new SpecProblem({
      path,
      message: `refers to ${name}, which neither the plan nor the database has${guessed(name, names)}`,
    })
  }

  column(tableName: string, name: string, from?: readonly string[]): CompiledColumn {
    const table = this.#tables.get(tableName) ?? this.table(tableName)
    const known = table.columns.get(name)
    if (known) return known
    const path = ['tables', tableName, 'columns', name]
    const spec = table.spec.columns[name]
    if (!spec) {
      const message = `takes ${tableName}.${name}, which the plan does not fill${guessed(name, Object.keys(table.spec.columns))}`
      throw new SpecProblem({ path: from ?? path, message })
    }
    if (this.#open.has(path.join('.')))
      throw new SpecProblem({ path, message: 'is made from columns that are made from it' })
    this.#open.add(path.join('.'))
    try {
      const compiled = this.#build(table, name, spec, path)
      ;(table.columns as Map<string, CompiledColumn>).set(name, compiled)
      return compiled
    } finally {
      this.#open.delete(path.join('.'))
    }
  }

  #build(table: CompiledTable, name: string, spec: AnyColumn, path: readonly string[]): CompiledColumn {
    const column = table.catalog.columns.find((one) => one.name === name)
    if (!column) throw new SpecProblem({ path, message: 'is not in the database' })
    const parsed = parseColumn(spec)
    checkType(parsed, familyOf(column.type), column, path)
    const site = this.#site({ table, column, path, parsed, inner: [] })
    const built = parsed.generator.build(parsed.options, site)
    const nullKey = streamKey('null', this.world.run.seed, table.name, name)
    const random = new Random()
    const { nulls } = parsed
    const isNull = nulls === 0 ? () => false : (row: number) => random.seat(nullKey, ...coordinates(row)).chance(nulls)
    const refers = built.refers && nullable(built.refers, isNull)
    return {
      ...{ column, parsed, built, isNull, refers, isTaken: false, isKeyed: false },
      pick: built.pick,
      value: nulls === 0 ? built.value : (row) => (isNull(row) ? null : built.value(row)),
    }
  }

  #site(place: Place): Site {
    const { table, column, path, parsed, inner } = place
    const { run, starts, prepared } = this.world
    const name = [table.name, column.name, ...inner].join('.')
    const key = streamKey('column', run.seed, table.name, column.name, ...inner)
    const random = new Random()
    const type = place.type ?? column.type
    const refuse = (message: string): never => {
      throw new SpecProblem({ path, message })
    }
    const other = (columnName: string) => this.column(table.name, columnName, path)
    return {
      table: table.name,
      column: column.name,
      type,
      typeName: column.typeName,
      family: familyOf(type),
      sequenceStart: starts.get(`${table.name}.${column.name}`) ?? 1 + table.first,
      first: table.first,
      rows: table.rows,
      window: run.window,
      at: (row, purpose = 0) => random.seat(key, ...coordinates(row), purpose),
      shared: (group, row) => random.seat(streamKey('together', run.seed, table.name, group), ...coordinates(row)),
      seedText: JSON.stringify([run.seed, name]),
      nested: (part, partType) => this.#nested(place, part, partType),
      read: (other_) => this.#read(table, other_, path),
      rowsOf: (other_) => this.rowsOf(other_, path),
      refersBy: (columnName) => lateRefers(other(columnName)),
      isDistinct: (other_) => !other_.includes('.') && isDistinct(other(other_)),
      isRequired: column.notNull,
      parent: table.parent,
      prepared: prepared.get(name) ?? [],
      refuse: (message) => refuse(`"${parsed.generator.name}" ${message}`),
    }
  }

  #nested(place: Place, part: string, type: SampleColumn['type'] | undefined): Built {
    const spec = place.parsed.generator.inner?.(place.parsed.options)[part] as AnyColumn
    const parsed = parseColumn(spec)
    // Inside a JSON value there is no type to fit.
    const site = this.#site({ ...place, parsed, inner: [...place.inner, part], type: type ?? jsonText })
    const built = parsed.generator.build(parsed.options, site)
    if (parsed.nulls === 0) return built
    return { ...built, value: (row) => (site.at(row, 255).chance(parsed.nulls) ? null : built.value(row)) }
  }

  #read(table: CompiledTable, path: string, from: readonly string[]): (row: number) => Value {
    const dot = path.indexOf('.')
    const column = this.column(table.name, dot < 0 ? path : path.slice(0, dot), from)
    if (dot < 0) return (row) => column.value(row)
    const { refers } = column
    if (!refers)
      throw new SpecProblem({ path: from, message: `reads ${path}, and ${column.column.name} refers to no row` })
    const read = refers.rows.column(path.slice(dot + 1))
    return (row) => {
      const index = column.refers?.index(row)
      return index === undefined ? null : read(index)
    }
  }
}

interface Place {
  readonly table: CompiledTable
  readonly column: SampleColumn
  readonly path: readonly string[]
  readonly parsed: ParsedColumn
  readonly inner: readonly string[]
  readonly type?: SampleColumn['type']
}

const jsonText: SampleColumn['type'] = { kind: 'base', name: 'jsonb', modifier: -1 }

/** Whether a column has no value twice; known once the keys are assigned, so asked as late as possible. */
export function isDistinct({ built, isKeyed, parsed }: CompiledColumn): boolean {
  if (isKeyed || parsed.nulls === 1) return true
  return typeof built.distinct === 'function' ? built.distinct() : built.distinct === true
}

/** A row number in the two words that a generator of random numbers is seated by. */
export function coordinates(row: number): [number, number] {
  return row < 0x1_0000_0000 ? [row, 0] : [row % 0x1_0000_0000, Math.floor(row / 0x1_0000_0000)]
}

function nullable(refers: Refers, isNull: (row: number) => boolean): Refers {
  return { rows: refers.rows, index: (row) => (isNull(row) ? undefined : refers.index(row)) }
}

/** A key may take the column over after it was asked for. */
function lateRefers(column: CompiledColumn): Refers | undefined {
  const { refers } = column
  return refers && { rows: refers.rows, index: (row) => column.refers?.index(row) }
}

function checkType({ generator }: ParsedColumn, family: Family, column: SampleColumn, path: readonly string[]): void {
  if (generator.fills.includes(family)) return
  throw new SpecProblem({
    path,
    message: `"${generator.name}" cannot fill a column of type ${column.typeName}; it makes values for ${generator.fills.join(', ')}`,
  })
}

import type { z } from 'zod'
import type { Random } from '../random.js'
import type { Rules, SampleType } from '../samples/model.js'
import type { Expected } from './expected.js'

/** What a generator makes of a row before it is encoded; a time is a number of microseconds since 1970. */
export type Value = string | number | bigint | boolean | Date | Uint8Array | object | null

/** The families of PostgreSQL types that generators tell apart. */
export const families = [
  'integer',
  'decimal',
  'text',
  'boolean',
  'time',
  'interval',
  'uuid',
  'json',
  'bytes',
  'array',
  'other',
] as const
export type Family = (typeof families)[number]

/**
 * A way to make the values of a column, as a value.
 *
 * Checking a configuration, `--explain`, `--infer` and the reference in the
 * documentation derive from it. Options are plain data, so that they can be written in
 * JSON and handed to another thread.
 */
export interface Generator<Options = unknown> {
  readonly name: string
  /** What it makes, in one line. */
  readonly summary: string
  /** Every option, with a description and, where it may be left out, a default. */
  readonly options: z.ZodType<Options>
  /** Options that show what it is for; the documentation prints them and a test builds them. */
  readonly example: Readonly<Record<string, unknown>>
  /** The types of columns that it can fill. */
  readonly fills: readonly Family[]
  /** The other columns that the value is made from: `column`, or `reference.column` for a column of the row referred to. */
  reads?(options: Options): readonly string[]
  /** The tables whose rows it refers to. */
  refersTo?(options: Options): readonly string[]
  /** Columns of those tables that it takes values from. */
  takes?(options: Options): readonly string[]
  /** Generators that stand in its options, by name. */
  inner?(options: Options): Readonly<Record<string, unknown>>
  /** Values that take time or a server to come by, made once, before the first row. */
  prepare?(options: Options, site: PreparationSite): Promise<readonly Value[]>
  build(options: Options, site: Site): Built
}

/** What a generator may lean on before there are rows. */
export interface PreparationSite extends SiteNames {
  readonly type: SampleType
  readonly rules: Rules
  readonly seedText: string
  /** The end of the run's window, for libraries that make times before "now". */
  readonly asOf: Date
  /** Those of the texts that the column takes, by its type and by the conditions on it alone. */
  accepted(texts: readonly string[]): Promise<readonly string[]>
  /** @throws SpecProblem naming the option. */
  refuse(message: string): never
}

export interface SiteNames {
  readonly table: string
  readonly column: string
}

/** Where a generator is put to work. */
export interface Site extends SiteNames {
  readonly type: SampleType
  /** The type as SQL writes it. */
  readonly typeName: string
  readonly family: Family
  /** Where a sequence of the table begins when nobody said so. */
  readonly sequenceStart: number
  /** Rows are numbered from `first`; a run that is appended goes on counting. */
  readonly first: number
  readonly rows: number
  /** The run's window in microseconds since 1970: from <= t < to. */
  readonly window: { readonly from: number; readonly to: number }
  /** Random numbers of this column alone; a purpose keeps several decisions about a row apart. */
  at(row: number, purpose?: number): Random
  /** Random numbers that all columns of the table have in common under a name. */
  shared(group: string, row: number): Random
  /** A text that tells this column's numbers from those of every other, for what is seeded otherwise. */
  readonly seedText: string
  /** Builds a generator that stands in the options of this one. */
  nested(name: string, type?: SampleType): Built
  /** Reads another column of the same row, or of the row that it refers to. */
  read(path: string): (row: number) => Value
  /** The rows of a table that can be referred to. */
  rowsOf(table: string): ReferredRows
  /** Which rows another column of the table refers to. */
  refersBy(column: string): Refers | undefined
  /** No two rows have the same value in another column of the row, or of the one referred to. */
  isDistinct(path: string): boolean
  /** The column may not be null. */
  readonly isRequired: boolean
  /** The row that this row belongs to, where rows are counted per row of another table. */
  readonly parent: ParentRows | undefined
  /** What `prepare` made. */
  readonly prepared: readonly Value[]
  /** @throws SpecProblem naming the option. */
  refuse(message: string): never
}

/** Rows of another table, numbered from 0. */
export interface ReferredRows {
  readonly table: string
  readonly count: number
  /** The columns that are known. */
  readonly names: readonly string[]
  /** The value of a column by the number of the row. */
  column(name: string): (index: number) => Value
}

export interface Refers {
  readonly rows: ReferredRows
  /** The number of the row that a row refers to; undefined when it refers to none. */
  index(row: number): number | undefined
}

export interface ParentRows {
  readonly table: string
  /** The number of the parent among those of this run, from 0. */
  of(row: number): number
  /** The number of the row among those of its parent, from 0. */
  nth(row: number): number
  /** The most rows that a parent has. */
  readonly most: number
}

/** A generator put to work: a function of the row's number and nothing else. */
export interface Built {
  value(row: number): Value
  /** For finite values: the number of the value of a row. */
  pick?(row: number): number
  /** Present when the values can be counted, so that a key can be made of distinct ones. */
  readonly finite?: Finite | undefined
  /** No two rows have the same value; a function where that depends on another column. */
  readonly distinct?: boolean | (() => boolean)
  /** Which rows of which table the column refers to. */
  readonly refers?: Refers | undefined
  /** How the column takes part in a key beside others: as the parent of the row, or as its number within the parent. */
  readonly role?: 'parent' | 'nth' | undefined
  readonly expected?: Expected | undefined
  /** Values never grow or shrink from a row to the next. */
  readonly ascending?: boolean
}

/** Values that have numbers: 0 to size − 1. */
export interface Finite {
  readonly size: number
  at(index: number): Value
  /** Texts for the server to read, since the values are written as SQL writes them. */
  readonly literal?: boolean
  /** Which value a row has is settled already; a key cannot choose. */
  readonly isFixed?: boolean
}

/** Keeps the name and the types of a generator's options, which the types of the configuration derive from. */
export function defineGenerator<const Name extends string, Schema extends z.ZodType>(
  generator: Omit<Generator<z.output<Schema>>, 'name' | 'options'> & { readonly name: Name; readonly options: Schema },
) {
  return generator
}

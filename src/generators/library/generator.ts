import type { z } from 'zod'
import type { Random } from '../random.js'
import type { SampleType } from '../samples/model.js'
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
  reads?(options: Options, site: SiteNames): readonly string[]
  /** The tables that rows have to be known of first. */
  refersTo?(options: Options, site: SiteNames): readonly string[]
  build(options: Options, site: Site): Built
}

export interface SiteNames {
  readonly table: string
  readonly column: string
}

/** Where a generator is put to work. */
export interface Site extends SiteNames {
  readonly type: SampleType
  /** Rows are numbered from `first`; a run that is appended goes on counting. */
  readonly first: number
  readonly rows: number
  /** The run's window in microseconds since 1970: from <= t < to. */
  readonly window: { readonly from: number; readonly to: number }
  /** Random numbers of this column alone; a purpose keeps several decisions about a row apart. */
  at(row: number, purpose?: number): Random
  /** A text that tells this column's numbers from those of every other, for what is seeded otherwise. */
  readonly seedText: string
  /** The same site one level deeper, for a generator inside another one. */
  within(name: string, type?: SampleType): Site
  /** Builds a generator that stands in the options of another one. */
  nested(name: string, spec: unknown, type?: SampleType): Built
  /** Reads another column of the same row, or of the row that it refers to. */
  read(path: string): (row: number) => Value
  /** The rows of a table that can be referred to. */
  rowsOf(table: string): ReferredRows
  /** The row that this row belongs to, where rows are counted per row of another table. */
  readonly parent: ParentRows | undefined
  /** Values prepared beforehand under a name, see `Preparation`. */
  prepared(name: string): readonly Value[]
  /** @throws SpecProblem naming the option. */
  refuse(message: string): never
}

/** Rows of another table, numbered from 0. */
export interface ReferredRows {
  readonly table: string
  readonly count: number
  /** The value of a column by the number of the row. */
  column(name: string): (index: number) => Value
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
  /** Present when the values can be counted, so that a key can be made of distinct ones. */
  readonly finite?: Finite | undefined
  /** No two rows have the same value. */
  readonly distinct?: boolean
  /** Which rows of which table the column refers to. */
  readonly refers?: { readonly rows: ReferredRows; index(row: number): number | undefined } | undefined
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
}

/** Keeps the types of a generator's options together. */
export function defineGenerator<Options>(generator: Generator<Options>): Generator<Options> {
  return generator
}

import { z } from 'zod'
import { nearest } from '../../suggest.js'
import { type ColumnSpec, generators } from './registry.js'

const rowsPer = z.strictObject({
  per: z.string().min(1).describe('the table that rows are counted by'),
  mean: z.number().positive().describe('how many rows a row of it has on average'),
  spread: z
    .enum(['poisson', 'geometric', 'fixed'])
    .default('poisson')
    .describe('poisson: independent events; geometric: few with many, many with few; fixed: the same for all'),
  min: z.int().nonnegative().optional().describe('the fewest'),
  max: z.int().positive().optional().describe('the most'),
})

const rowsPerDay = z.strictObject({ perDay: z.number().positive().describe('rows for every day of the window') })

const rows = z
  .union(
    [
      z.int().nonnegative(),
      rowsPer,
      rowsPerDay,
      z.custom<(days: number) => number>((value) => typeof value === 'function'),
    ],
    'must be a number of rows, { per: table, mean }, { perDay: rows } or a function of the days',
  )
  .describe('how many rows there are')

/** Unknown generators and options are reported in full by `checkColumn`, which knows which options there are. */
const column = z.looseObject({
  generator: z.string(),
  nulls: z.number().min(0).max(1).optional(),
})

const table = z.strictObject({
  rows,
  columns: z.record(z.string(), column),
  unique: z.array(z.array(z.string()).min(1)).optional().describe('keys that the database does not know of'),
  time: z.string().optional().describe('the column that says when a row happened'),
})

const profile = z.strictObject({
  description: z.string().optional(),
  scale: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe('multiplies the rows of tables that have a number of their own'),
  rows: z.record(z.string(), rows).optional().describe('rows by table, in the place of those of the table'),
})

const seedShape = z.strictObject({
  tables: z.record(z.string(), table).refine((tables) => Object.keys(tables).length > 0, 'must describe a table'),
  profiles: z
    .record(z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower case letters, digits, - and _'), profile)
    .optional(),
})

/** The `seed` entry of a pack in a configuration file, with every problem of it found at once. */
export const seedSchema = seedShape.superRefine(({ tables, profiles }, context) => {
  const report = (path: readonly string[], message: string) =>
    context.addIssue({ code: 'custom', path: [...path], message })
  for (const [name, { columns }] of Object.entries(tables)) {
    for (const [columnName, spec] of Object.entries(columns)) {
      for (const { path, message } of checkColumn(spec))
        report(['tables', name, 'columns', columnName, ...path], message)
    }
  }
  for (const [name, { rows: counts }] of Object.entries(profiles ?? {})) {
    for (const named of Object.keys(counts ?? {})) {
      if (!(named in tables))
        report(['profiles', name, 'rows', named], `is not a table of this plan${guessed(named, Object.keys(tables))}`)
    }
  }
})

export type SeedSpec = z.output<typeof seedSchema>
export type TableSpec = SeedSpec['tables'][string]
export type RowsSpec = TableSpec['rows']
export type RowsPer = z.output<typeof rowsPer>
export type AnyColumn = TableSpec['columns'][string]

/** What a person writes; the options of every generator are known to the editor. */
export interface SeedPlanInput {
  readonly tables: Readonly<
    Record<string, Omit<z.input<typeof table>, 'columns'> & { readonly columns: Readonly<Record<string, ColumnSpec>> }>
  >
  readonly profiles?: Readonly<Record<string, z.input<typeof profile>>>
}

/** Something of a plan that cannot be used. */
export interface Problem {
  /** Where it stands in the plan: `tables`, `orders`, `columns`, `status`, … */
  readonly path: readonly string[]
  readonly message: string
  /** How many rows the table could have, where there are too many for a key. */
  readonly capacity?: number
  /** The columns of a check that rows violate. */
  readonly columns?: readonly string[]
}

/** The generator of a column with its options, defaults filled in. */
export interface ParsedColumn {
  readonly generator: (typeof generators)[number]
  readonly options: unknown
  readonly nulls: number
}

/** Reads the options of a column that `checkColumn` finds nothing wrong with. */
export function parseColumn(spec: AnyColumn): ParsedColumn {
  const { generator: name, nulls = 0, ...options } = spec
  const generator = generators.find((one) => one.name === name)
  if (!generator) throw new Error(`no generator ${name}`)
  return { generator, options: generator.options.parse(options), nulls }
}

/** What is wrong with the generator and the options of a column. */
export function checkColumn(spec: AnyColumn): readonly Problem[] {
  const { generator: name, nulls: _, ...options } = spec
  const names = generators.map((one) => one.name)
  const generator = generators.find((one) => one.name === name)
  if (!generator)
    return [{ path: ['generator'], message: `there is no generator ${JSON.stringify(name)}${guessed(name, names)}` }]
  const parsed = generator.options.safeParse(options)
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => optionProblems(issue, optionNames(generator)))
  return Object.entries(generator.inner?.(parsed.data) ?? {}).flatMap(([inner, one]) =>
    checkColumn(one as AnyColumn).map(({ path, message }) => ({
      path: [...innerPath(generator.name, inner), ...path],
      message,
    })),
  )
}

function innerPath(generator: string, name: string): readonly string[] {
  return generator === 'json' ? ['fields', name] : [name]
}

function optionProblems(issue: z.core.$ZodIssue, known: readonly string[]): readonly Problem[] {
  const path = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  return issue.keys.map((key) => ({
    path: [...path, key],
    message: `is not an option${guessed(key, [...known, 'nulls'])}`,
  }))
}

/** The names of a generator's options. */
export function optionNames(generator: { readonly options: z.ZodType }): readonly string[] {
  return generator.options instanceof z.ZodObject ? Object.keys(generator.options.shape) : []
}

export function guessed(word: string, candidates: Iterable<string>): string {
  const guess = nearest(word, candidates)
  return guess === undefined ? '' : `, did you mean ${guess}?`
}

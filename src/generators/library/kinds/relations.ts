import { z } from 'zod'
import { streamKey } from '../../random.js'
import { zipf } from '../continuous.js'
import { type Built, defineGenerator, families, type ReferredRows, type Site, type Value } from '../generator.js'
import { permutation } from '../permutation.js'

const columnOfTable = z.string().regex(/^[^.]+\.[^.]+$/, 'must name a table and its column, for example "customers.id"')

export const references = defineGenerator({
  name: 'references',
  summary: 'The key of a row of another table, or of an earlier row of the same one.',
  options: z.strictObject({
    column: columnOfTable.describe('the table and column referred to: "customers.id"'),
    spread: z
      .enum(['uniform', 'zipf'])
      .default('uniform')
      .describe('uniform: every row is as likely as the next; zipf: few rows are referred to most of the time'),
    exponent: z.number().positive().default(1).describe('how steep zipf is'),
    with: z
      .string()
      .optional()
      .describe('a column of this table that refers to the same row, for keys of several columns'),
    where: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        'only rows whose column (left) has the value that this row has in another column (right): { "tenant_id": "tenant_id" }',
      ),
  }),
  example: { column: 'customers.id', spread: 'zipf' },
  fills: families,
  refersTo: ({ column }) => [tableOf(column)],
  takes: ({ column, where }) => [column, ...Object.keys(where ?? {}).map((name) => `${tableOf(column)}.${name}`)],
  reads: ({ with: other, where }) => [...(other === undefined ? [] : [other]), ...Object.values(where ?? {})],
  build({ column, spread, exponent, with: other, where }, site) {
    const rows = site.rowsOf(tableOf(column))
    const key = rows.column(nameOf(column))
    if (other !== undefined) return sameRow(key, other, site)
    if (rows.count === 0) return site.refuse(`refers to ${rows.table}, which has no rows`)
    if (where !== undefined) return agreeingRow(key, rows, where, site)
    if (rows.table === site.table) return earlierRow(key, rows, site)
    const pick = spread === 'zipf' ? zipfPick(rows, exponent, site) : uniformPick(rows, site)
    return {
      finite: { size: rows.count, at: key },
      pick,
      value: (row) => key(pick(row)),
      refers: { rows, index: pick },
    }
  },
})

function uniformPick({ count }: ReferredRows, site: Site): (row: number) => number {
  return (row) => Math.min(count - 1, Math.floor(site.at(row).uniform53() * count))
}

/** The most frequent rows lie anywhere in the table, rather than at its beginning. */
function zipfPick({ count }: ReferredRows, exponent: number, site: Site): (row: number) => number {
  const draw = zipf(count, exponent)
  const places = permutation(streamKey(site.seedText, 'places'), count)
  return (row) => places.at(draw(site.at(row)) - 1)
}

/** Rows of one table refer to rows that come before them; the first has none, or itself where there has to be one. */
function earlierRow(key: (index: number) => Value, rows: ReferredRows, site: Site): Built {
  const index = (row: number) => {
    const before = row - site.first
    if (before === 0) return site.isRequired ? 0 : undefined
    return Math.min(before - 1, Math.floor(site.at(row).uniform53() * before))
  }
  return {
    value(row) {
      const chosen = index(row)
      return chosen === undefined ? null : key(chosen)
    },
    refers: { rows, index },
  }
}

function sameRow(key: (index: number) => Value, other: string, site: Site): Built {
  const refers = site.refersBy(other)
  if (!refers) return site.refuse(`names ${other} in "with", which refers to no row`)
  return {
    value(row) {
      const index = refers.index(row)
      return index === undefined ? null : key(index)
    },
    refers,
  }
}

/** Rows that can be sorted by what they agree in: four bytes each, and the groups. */
const mostAgreeing = 20_000_000

/** A row among those that have the same values as this one in some columns. */
function agreeingRow(
  key: (index: number) => Value,
  rows: ReferredRows,
  where: Readonly<Record<string, string>>,
  site: Site,
): Built {
  if (rows.count > mostAgreeing)
    return site.refuse(`finds rows that agree among ${mostAgreeing} at most, and ${rows.table} has ${rows.count}`)
  const theirs = Object.keys(where).map((name) => rows.column(name))
  const ours = Object.values(where).map((path) => site.read(path))
  let groups: ReadonlyMap<string, Uint32Array> | undefined
  const index = (row: number) => {
    groups ??= groupRows(rows.count, theirs)
    const group = groups.get(JSON.stringify(ours.map((read) => String(read(row))))) ?? none
    const own = row - site.first
    const size = rows.table === site.table ? countBelow(group, own) : group.length
    if (size > 0) return group[Math.min(size - 1, Math.floor(site.at(row).uniform53() * size))]
    return rows.table === site.table && site.isRequired ? own : undefined
  }
  return {
    value(row) {
      const chosen = index(row)
      return chosen === undefined ? null : key(chosen)
    },
    refers: { rows, index },
  }
}

const none = new Uint32Array(0)

/** How many of the numbers, which grow, are below a limit. */
function countBelow(numbers: Uint32Array, limit: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < limit) low = middle + 1
    else high = middle
  }
  return low
}

function groupRows(count: number, columns: readonly ((index: number) => Value)[]): ReadonlyMap<string, Uint32Array> {
  const nameOfRow = (index: number) => JSON.stringify(columns.map((read) => String(read(index))))
  const sizes = new Map<string, number>()
  for (let i = 0; i < count; i++) sizes.set(nameOfRow(i), (sizes.get(nameOfRow(i)) ?? 0) + 1)
  const groups = new Map([...sizes].map(([name, size]) => [name, new Uint32Array(size)]))
  const filled = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const name = nameOfRow(i)
    const place = filled.get(name) ?? 0
    const group = groups.get(name)
    if (group) group[place] = i
    filled.set(name, place + 1)
  }
  return groups
}

function tableOf(column: string): string {
  return column.slice(0, column.indexOf('.'))
}

function nameOf(column: string): string {
  return column.slice(column.indexOf('.') + 1)
}

export const parent = defineGenerator({
  name: 'parent',
  summary: 'The key of the row that this row belongs to, where rows are counted per row of another table.',
  options: z.strictObject({ column: z.string().min(1).describe('the column of the parent') }),
  example: { column: 'id' },
  fills: families,
  build({ column }, site) {
    const { parent: owner } = site
    if (!owner) return site.refuse('takes the parent of a row, and the table has no "rows": { "per": … }')
    const rows = site.rowsOf(owner.table)
    const key = rows.column(column)
    const index = (row: number) => owner.of(row)
    const distinct = owner.most <= 1
    return { role: 'parent', distinct, value: (row) => key(owner.of(row)), refers: { rows, index } }
  },
})

export const copy = defineGenerator({
  name: 'copy',
  summary: 'The value of another column of the row, or of the row that it refers to.',
  options: z.strictObject({
    column: z.string().min(1).describe('the column: "name", or "customer_id.country" for one of the row referred to'),
  }),
  example: { column: 'customer_id.country' },
  fills: families,
  reads: ({ column }) => [column],
  build({ column }, site) {
    const read = site.read(column)
    const refers = column.includes('.') ? undefined : site.refersBy(column)
    return { value: read, refers, distinct: () => site.isDistinct(column) }
  },
})

type Derive = (values: Readonly<Record<string, Value>>) => Value

export const derive = defineGenerator({
  name: 'derive',
  summary: 'Whatever a function makes of other columns of the row; in a configuration in TypeScript or JavaScript.',
  options: z.strictObject({
    from: z
      .array(z.string().min(1))
      .min(1)
      .describe('the columns that it is made from: "quantity", or "product_id.price" for one of the row referred to'),
    value: z
      .custom<Derive>((value) => typeof value === 'function', 'must be a function')
      .describe('a function of an object with those columns; it must depend on nothing else'),
  }),
  example: { from: ['quantity', 'unit_price'], value: timesPrice },
  fills: families,
  reads: ({ from }) => from,
  build({ from, value: work }, site) {
    const inputs = from.map((path) => [path, site.read(path)] as const)
    return {
      value(row) {
        const values: Record<string, Value> = {}
        for (const [path, read] of inputs) values[path] = read(row)
        return work(values)
      },
    }
  },
})

function timesPrice(row: Readonly<Record<string, Value>>): Value {
  return Number(row['quantity']) * Number(row['unit_price'])
}

import { quoteIdentifier, quoteQualified } from '../../database/quote.js'
import { UsageError } from '../../errors.js'
import type { SampleColumn, SampleTable } from '../samples/model.js'
import { familyOf } from './encoders.js'
import type { Family, ReferredRows, Value } from './generator.js'
import type { Server } from './server.js'

/** What the values of rows that are in the database already may take up. */
export const mostBytes = 128 * 1024 * 1024

/** There are more rows to refer to than are kept in memory; nothing was changed. */
export class TooManyRowsError extends UsageError {
  constructor(
    readonly table: string,
    readonly columns: readonly string[],
    readonly rows: number,
  ) {
    super(`${table} has more rows to refer to than fit into ${mostBytes / 1024 / 1024} MiB (${rows} were read)`, {
      code: 'too_many_rows',
      hint: `Describe ${table} in the plan, so that its keys need not be kept, or refer to a column that takes less room.`,
      details: { table, columns, rows },
    })
  }
}

/** A column of values by the number of the row, in as few bytes as its type allows. */
interface Store {
  readonly bytes: number
  push(text: string | null): void
  at(index: number): Value
}

/**
 * Reads columns of the rows that a table has, in the order of those columns, so that the
 * same database gives the same numbers.
 *
 * @throws TooManyRowsError rather than taking more memory than `mostBytes`.
 */
export async function readExisting(sql: Server, table: SampleTable, names: readonly string[]): Promise<ReferredRows> {
  const columns = names.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
  const stores = columns.map(storeFor)
  const list = columns.map(selected).join(', ')
  const order = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  let count = 0
  const query = `select ${list} from ${quoteQualified(table.schema, table.name)} order by ${order}`
  for await (const rows of sql.unsafe<Record<string, string | null>[]>(query).cursor(10_000)) {
    for (const row of rows) for (const [i, store] of stores.entries()) store.push(row[`c${i}`] ?? null)
    count += rows.length
    if (stores.reduce((sum, { bytes }) => sum + bytes, 0) > mostBytes)
      throw new TooManyRowsError(table.name, names, count)
  }
  return {
    table: table.name,
    count,
    names,
    column: (name) => {
      const store = stores[columns.findIndex((column) => column.name === name)]
      return (index) => store?.at(index) ?? null
    },
  }
}

function selected({ name, type }: SampleColumn, place: number): string {
  const column = quoteIdentifier(name)
  const value = familyOf(type) === 'time' ? `(extract(epoch from ${column}) * 1000000)::bigint` : column
  return `${value}::text as c${place}`
}

function storeFor({ type }: SampleColumn): Store {
  const family = familyOf(type)
  if (family === 'integer' || family === 'time') return numberStore()
  return family === 'uuid' ? uuidStore() : textStore(family)
}

/** Room is doubled when it is full. */
function numberStore(): Store {
  let values = new Float64Array(1024)
  let length = 0
  return {
    get bytes() {
      return values.byteLength
    },
    push(text) {
      if (length === values.length) {
        const larger = new Float64Array(length * 2)
        larger.set(values)
        values = larger
      }
      values[length++] = text === null ? Number.NaN : Number(text)
    },
    at(index) {
      const value = values[index] ?? Number.NaN
      return Number.isNaN(value) ? null : value
    },
  }
}

function uuidStore(): Store {
  const hex = byteStore()
  return {
    get bytes() {
      return hex.bytes
    },
    push: (text) => hex.push(Buffer.from((text ?? '').replaceAll('-', ''), 'hex')),
    at(index) {
      const text = hex.at(index).toString('hex')
      return text === '' ? null : text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    },
  }
}

function textStore(family: Family): Store {
  const texts = byteStore()
  // A first byte tells null from the empty text.
  return {
    get bytes() {
      return texts.bytes
    },
    push: (text) => texts.push(text === null ? Buffer.alloc(0) : Buffer.from(`=${text}`)),
    at(index) {
      const text = texts.at(index).toString()
      if (text === '') return null
      const value = text.slice(1)
      return family === 'boolean' ? value === 'true' : value
    },
  }
}

function byteStore(): { readonly bytes: number; push(value: Uint8Array): void; at(index: number): Buffer } {
  let content = Buffer.alloc(16 * 1024)
  let ends = new Float64Array(1024)
  let length = 0
  let used = 0
  return {
    get bytes() {
      return content.byteLength + ends.byteLength
    },
    push(value) {
      while (used + value.length > content.length) content = Buffer.concat([content, Buffer.alloc(content.length)])
      content.set(value, used)
      used += value.length
      if (length === ends.length) {
        const larger = new Float64Array(length * 2)
        larger.set(ends)
        ends = larger
      }
      ends[length++] = used
    },
    at: (index) => content.subarray(index === 0 ? 0 : ends[index - 1], ends[index]),
  }
}

import postgres from 'postgres'
import type { Session, Sql } from '../../database/connect.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import { encodeFields } from '../copy-binary.js'
import type { SampleColumn, SampleTable } from '../samples/model.js'
import { encoderFor, familyOf, lengthOf, ValueError } from './encoders.js'

/** Where a question about texts can be asked. */
export type Server = Sql | Session

/** A text that a column does not take, and what was said against it. */
export interface RefusedText {
  readonly text: string
  readonly reason: string
}

/**
 * Encodes texts as fields of a binary COPY, as the column's type sends them.
 *
 * Texts of text types are encoded here, because a cast would cut what is too long; for
 * every other type the server reads each text as SQL reads it.
 */
export async function encodeTexts(
  sql: Server,
  column: SampleColumn,
  texts: readonly string[],
): Promise<readonly Uint8Array[] | RefusedText> {
  if (familyOf(column.type) === 'text') return encodeHere(column, texts)
  const sent = await sendFunction(sql, column)
  if (!sent) return { text: texts[0] ?? '', reason: `values of type ${column.typeName} have no binary form` }
  const query = (list: readonly string[]) => `
    select encode(${sent.send}((u.text::${column.typeName})::${sent.base}), 'hex') as bytes
    from unnest(${arrayOf(list)}) with ordinality u (text, place) order by u.place`
  const rows = await attempt<{ bytes: string | null }>(sql, query(texts))
  if (!(rows instanceof Error)) return rows.map(({ bytes }) => field(Buffer.from(bytes ?? '', 'hex')))
  for (const text of texts) {
    const one = await attempt(sql, query([text]))
    if (one instanceof Error) return { text, reason: one.message }
  }
  return { text: texts[0] ?? '', reason: rows.message }
}

function encodeHere(column: SampleColumn, texts: readonly string[]): readonly Uint8Array[] | RefusedText {
  const encode = encoderFor(column.type)
  let current = ''
  try {
    return texts.map((text) => {
      current = text
      return encodeFields((target) => encode?.(text, target))
    })
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    return { text: current, reason: error.message }
  }
}

function field(content: Buffer): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeInt32BE(content.length)
  return Buffer.concat([length, content])
}

/** The function that gives the binary form of a type, and the type below its domains, which polymorphic functions want. */
async function sendFunction(
  sql: Server,
  column: SampleColumn,
): Promise<{ readonly send: string; readonly base: string } | undefined> {
  const [row] = await sql.unsafe<{ send: string; base: string }[]>(`
    with recursive below as (
      select t.* from pg_type t where t.oid = ${quoteLiteral(column.typeName)}::regtype
      union all
      select t.* from below b join pg_type t on t.oid = b.typbasetype where b.typtype = 'd'
    )
    select format('%I.%I', n.nspname, p.proname) as send, format('%I.%I', tn.nspname, b.typname) as base
    from below b
    join pg_namespace tn on tn.oid = b.typnamespace
    join pg_proc p on p.oid = b.typsend join pg_namespace n on n.oid = p.pronamespace
    where b.typtype <> 'd'`)
  return row
}

/** Those of the texts that a column takes: by its type, its length, and the conditions on it alone. */
export async function acceptedTexts(
  sql: Server,
  { checks }: SampleTable,
  column: SampleColumn,
  texts: readonly string[],
): Promise<readonly string[]> {
  const fitting = texts.filter((text) => text.length <= lengthOf(column.type))
  const own = checks
    .filter(({ columns }) => columns.join() === column.name)
    .map(({ condition }) => `(${condition}) is not false`)
  const query = (list: readonly string[]) => `
    select u.text
    from unnest(${arrayOf(list)}) with ordinality u (text, place)
    cross join lateral (select u.text::${column.typeName}) as r (${quoteIdentifier(column.name)})
    where ${['true', ...own].join(' and ')}
    order by u.place`
  const rows = await attempt<{ text: string }>(sql, query(fitting))
  if (!(rows instanceof Error)) return rows.map(({ text }) => text)
  const accepted: string[] = []
  for (const text of fitting) {
    const one = await attempt<{ text: string }>(sql, query([text]))
    if (!(one instanceof Error) && one.length > 0) accepted.push(text)
  }
  return accepted
}

/** The rows of a query, or what the server said against it; a transaction that is open survives that. */
async function attempt<Row extends object>(sql: Server, query: string): Promise<readonly Row[] | Error> {
  const inTransaction = await sql`savepoint obs_attempt`.then(
    () => true,
    () => false,
  )
  try {
    return await sql.unsafe<Row[]>(query)
  } catch (error) {
    // Only what the server says about the values; a lost connection is no answer.
    if (!(error instanceof postgres.PostgresError) || !/^(22|23|42|0A)/.test(error.code)) throw error
    if (inTransaction) await sql`rollback to savepoint obs_attempt`
    return error
  } finally {
    if (inTransaction) await sql`release savepoint obs_attempt`.catch(() => undefined)
  }
}

function arrayOf(texts: readonly string[]): string {
  return `array[${texts.map(quoteLiteral).join(', ')}]::text[]`
}

/** Where the sequences of columns may begin: behind what the table holds and behind what they gave out. */
export async function nextNumbers(
  sql: Server,
  table: SampleTable,
  columns: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const starts = new Map<string, number>()
  for (const name of columns) {
    const [row] = await sql.unsafe<{ greatest: string | null; last: string | null }[]>(`
      select (select max(${quoteIdentifier(name)})::text from ${quoteQualified(table.schema, table.name)}) as greatest,
             (select last_value::text from pg_sequences
              where format('%I.%I', schemaname, sequencename)::regclass
                = pg_get_serial_sequence(${quoteLiteral(quoteQualified(table.schema, table.name))}, ${quoteLiteral(name)})::regclass) as last`)
    const known = [row?.greatest, row?.last].map((text) => (text == null || !/^-?\d+$/.test(text) ? 0 : Number(text)))
    starts.set(name, Math.max(0, ...known) + 1)
  }
  return starts
}

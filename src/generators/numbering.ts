import type { Session } from '../database/connect.js'
import { quoteQualified } from '../database/quote.js'
import type { FactTable } from './pack.js'

/** A column that the database would number row by row, and the first of the numbers reserved for a run. */
export interface Numbering {
  readonly column: string
  readonly first: number
}

/** Numbers left free before those of a run, for writers who take some in the same instant. */
const margin = 100

/**
 * Reserves numbers for the rows of a table whose column is filled from a sequence.
 *
 * A sequence asked row by row would number the rows in the order in which connections
 * happen to load them. Sequences know no transactions: what is reserved stays reserved.
 * Undefined when the table has no such column, or the sequence is none that counts up by
 * one or none of ours to set; then the server numbers the rows as they come.
 */
export async function reserveNumbers(
  session: Session,
  schema: string,
  fact: FactTable,
  countRows: () => number,
): Promise<Numbering | undefined> {
  const table = quoteQualified(schema, fact.table)
  const written = fact.columns.map(({ name }) => name)
  const [column] = await session<{ name: string; sequence: string }[]>`
    select a.attname as name, s.oid::regclass::text as sequence
    from pg_attribute a
    cross join lateral pg_get_serial_sequence(${table}, a.attname) as owned (name)
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
    left join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
      and d.refobjid in (select oid from pg_class where relkind = 'S')
    join pg_class s on s.oid = coalesce(owned.name::regclass, d.refobjid) and s.relkind = 'S'
    join pg_sequence q on q.seqrelid = s.oid
    where a.attrelid = ${table}::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> all(${written})
      and q.seqincrement = 1 and not q.seqcycle and q.seqtypid = 'int8'::regtype and a.atttypid = 'int8'::regtype
      and case when s.relkind = 'S' then has_sequence_privilege(s.oid, 'update') and has_sequence_privilege(s.oid, 'usage') end
    order by a.attnum limit 1`
  if (!column) return undefined
  const rows = countRows()
  const [block] = await session<{ first: number }[]>`
    select setval(${column.sequence}::regclass, nextval(${column.sequence}::regclass) + ${margin + rows})
             - ${rows}::int8 + 1 as first`
  return { column: column.name, first: block?.first ?? 1 }
}

import type { CatalogLine } from '../../database/catalog.js'
import type { Session } from '../../database/connect.js'
import { describeTables, type ScratchTable } from './prints.js'

/**
 * What is known about the relations of a scratch database, so that a look at it costs as
 * much as what changed, and not as much as the whole schema.
 *
 * A relation counts as unchanged as long as its rows in the catalogs are the very same
 * ones. Its definition can still read differently when something that it names gets
 * another name; whoever may have given names has to `forget` all.
 */
export class RelationCache {
  #stamps = new Map<string, string>()
  readonly #tables = new Map<string, { readonly stamp: string; readonly table: ScratchTable | undefined }>()
  readonly #lines = new Map<string, { readonly stamp: string; readonly lines: readonly string[] }>()

  /** Forgets every definition. */
  forget(): void {
    this.#lines.clear()
    this.#tables.clear()
  }

  /** Looks which relations changed, and lists the tables: those of all schemas but the server's own and the history. */
  async tables(
    session: Session,
    history: { readonly schema: string; readonly table: string },
  ): Promise<readonly ScratchTable[]> {
    this.#stamps = await readStamps(session)
    const changed = [...this.#stamps].filter(([oid, stamp]) => this.#tables.get(oid)?.stamp !== stamp)
    const described = await describeTables(
      session,
      history,
      changed.map(([oid]) => oid),
    )
    for (const [oid, stamp] of changed) this.#tables.set(oid, { stamp, table: described.get(oid) })
    const there = [...this.#stamps.keys()].flatMap((oid) => this.#tables.get(oid)?.table ?? [])
    return there.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** The OIDs of the relations whose lines are not known as of the last look. */
  changedLines(): readonly string[] {
    return [...this.#stamps].filter(([oid, stamp]) => this.#lines.get(oid)?.stamp !== stamp).map(([oid]) => oid)
  }

  keepLines(changed: readonly string[], read: readonly CatalogLine[]): void {
    const grouped = new Map<string, string[]>(changed.map((oid) => [oid, []]))
    for (const { line, relation } of read) if (relation !== null) grouped.get(relation)?.push(line)
    for (const [oid, lines] of grouped) this.#lines.set(oid, { stamp: this.#stamps.get(oid) ?? '', lines })
  }

  lines(): readonly string[] {
    return [...this.#stamps.keys()].flatMap((oid) => this.#lines.get(oid)?.lines ?? [])
  }
}

/** https://github.com/postgres/postgres/blob/master/src/include/access/transam.h (FirstNormalObjectId) */
const firstOwn = 16384

/**
 * The catalogs that describe relations: the column with the relation, and what tells the
 * rows of one relation apart.
 */
const catalogs: readonly (readonly [name: string, relation: string, part: string, where?: string])[] = [
  ['pg_class', 'oid', '0'],
  ['pg_attribute', 'attrelid', 'attnum', 'attnum > 0'],
  ['pg_attrdef', 'adrelid', 'adnum'],
  ['pg_constraint', 'conrelid', 'oid'],
  ['pg_index', 'indexrelid', '0'],
  ['pg_trigger', 'tgrelid', 'oid'],
  ['pg_rewrite', 'ev_class', 'oid'],
  ['pg_policy', 'polrelid', 'oid'],
  ['pg_sequence', 'seqrelid', '0'],
  ['pg_inherits', 'inhrelid', 'inhparent'],
  ['pg_partitioned_table', 'partrelid', '0'],
  ['pg_foreign_table', 'ftrelid', '0'],
  ['pg_description', 'objoid', 'objsubid', `classoid = 'pg_class'::regclass`],
  ['pg_depend', 'objid', 'refobjid', `classid = 'pg_class'::regclass and deptype in ('a', 'i', 'e')`],
]

/**
 * A sum over the rows that describe a relation, by OID. A row of a catalog is another row
 * once it was changed, because then another transaction wrote it.
 */
async function readStamps(session: Session): Promise<Map<string, string>> {
  const parts = catalogs.map(
    ([name, relation, part, where = 'true'], i) => `
      select ${relation}, hashtextextended(xmin::text, ${part}::bigint * ${catalogs.length} + ${i})
      from ${name} where ${relation} >= ${firstOwn} and ${where}`,
  )
  const rows = await session.unsafe<{ oid: string; stamp: string }[]>(`
    select relation::bigint::text as oid, sum(hash)::text as stamp
    from (${parts.join(' union all ')}) as rows (relation, hash)
    group by relation`)
  return new Map(rows.map(({ oid, stamp }) => [oid, stamp]))
}

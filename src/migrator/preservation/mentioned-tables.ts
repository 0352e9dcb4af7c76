import type { Session } from '../../database/connect.js'
import type { TableName } from './touched-tables.js'

interface Relation {
  readonly name: string
  /** The bodies of its trigger functions. */
  readonly triggers: readonly string[]
  /** Tables whose rows follow when its rows are deleted or their keys changed. */
  readonly followers: readonly string[]
}

interface Routine {
  readonly name: string
  readonly body: string
}

/**
 * Guesses which tables of a schema a text may write: those whose names occur in it, in the functions it
 * names and in the triggers of those tables, and those that follow them by a cascade.
 *
 * It is a guess to begin with: who uses it looks afterwards which tables were really written.
 */
export async function mentionedTables(
  session: Session,
  schema: string,
  texts: readonly string[],
): Promise<readonly TableName[]> {
  const [relations, routines] = [await readRelations(session, schema), await readRoutines(session)]
  const found = new Set<string>()
  const waiting = [...texts]
  const mention = (name: string) => {
    const relation = found.has(name) ? undefined : relations.get(name)
    if (!relation) return
    found.add(name)
    waiting.push(...relation.triggers)
    relation.followers.forEach(mention)
  }
  const called = new Set<Routine>()
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const words = wordsIn(text)
    for (const name of relations.keys()) if (words.has(name.toLowerCase())) mention(name)
    for (const routine of routines) {
      if (called.has(routine) || !words.has(routine.name.toLowerCase())) continue
      called.add(routine)
      waiting.push(routine.body)
    }
  }
  return [...found].map((table) => ({ schema, table }))
}

/** Identifiers without regard to case, and whatever stands between double quotes. */
function wordsIn(text: string): ReadonlySet<string> {
  const words = text.match(/[\p{L}_][\p{L}\p{N}_$]*|"(?:[^"]|"")+"/gu) ?? []
  return new Set(words.map((word) => word.replace(/^"|"$/g, '').replaceAll('""', '"').toLowerCase()))
}

async function readRelations(session: Session, schema: string): Promise<ReadonlyMap<string, Relation>> {
  const rows = await session<Relation[]>`
    select c.relname as name,
           (select coalesce(jsonb_agg(distinct p.prosrc), '[]')
            from pg_trigger t join pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = c.oid and not t.tgisinternal) as triggers,
           (select coalesce(jsonb_agg(distinct f.relname), '[]')
            from pg_constraint k join pg_class f on f.oid = k.conrelid
            where k.confrelid = c.oid and k.contype = 'f'
              and (k.confdeltype not in ('a', 'r') or k.confupdtype not in ('a', 'r'))) as followers
    from pg_class c
    where c.relnamespace = (select oid from pg_namespace where nspname = ${schema}) and c.relkind in ('r', 'p')`
  return new Map(rows.map((row) => [row.name, row]))
}

async function readRoutines(session: Session): Promise<readonly Routine[]> {
  return session<Routine[]>`
    select p.proname as name, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as body
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname not in ('pg_catalog', 'information_schema') and p.prokind in ('f', 'p')
      and not exists (
        select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`
}

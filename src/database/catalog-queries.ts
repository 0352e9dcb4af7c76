import type { ObjectKind } from './catalog.js'
import { quoteLiteral } from './quote.js'

/** One object, as the queries below describe it. */
export interface CatalogRow {
  readonly kind: ObjectKind
  /** How the object is named in its line; null where the definition names it. */
  readonly named: string | null
  readonly identity: string
  readonly space: string
  readonly owner: string | null
  readonly detail: string | null
  readonly inherited: boolean
  /** The parts of the line, in order; null for what there is nothing to say about. */
  readonly facts: Readonly<Record<string, string | null>>
  /** What is known beyond the line. */
  readonly more: Readonly<Record<string, string | null>>
  /** `pg_class.oid` of the relation that it is or belongs to; null for what belongs to none. */
  readonly relation: string | null
}

/**
 * The catalog of some schemas as one query, and therefore of one moment.
 *
 * @param relations OIDs: of what is a relation or belongs to one, only these
 */
export function catalogQuery(
  schemas: readonly string[],
  more: readonly string[] = [],
  relations?: readonly string[],
): string {
  const chosen = relations && `and c.oid = any('{${relations.map(Number).join(',')}}'::oid[])`
  const wanted = `array[${schemas.map(quoteLiteral).join(', ')}]::name[]`
  return `
    with space as (select oid, nspname from pg_namespace where nspname = any(${wanted})),
    owned as (select classid, objid from pg_depend where deptype = 'e'),
    relation as (
      select c.*, s.nspname, format('%I.%I', s.nspname, c.relname) as path
      from pg_class c join space s on s.oid = c.relnamespace
      where not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid) ${chosen ?? ''}
    )
    ${[...lineParts, ...more].join('\n    union all\n')}`
}

/**
 * TimescaleDB numbers the tables behind continuous aggregates as it makes them, so the
 * number differs between two databases with the same schema.
 */
const viewText = `regexp_replace(regexp_replace(pg_get_viewdef(oid), '_materialized_hypertable_\\d+',
      '_materialized_hypertable', 'g'), 'cagg_watermark\\(\\d+\\)', 'cagg_watermark()', 'g')`

interface Part {
  /** SQL expressions. */
  readonly kind: string
  readonly named?: string
  readonly identity?: string
  readonly space: string
  readonly owner?: string
  readonly detail?: string
  readonly inherited?: string
  /** Name to SQL expression, in the order of the line. */
  readonly facts: Readonly<Record<string, string>>
  readonly more?: Readonly<Record<string, string>>
  /** Everything from `from` on. */
  readonly from: string
}

/** One query for one kind of object. */
function part({ kind, named, identity, space, owner, detail, inherited, facts, more, from }: Part): string {
  return `select (${kind})::text as kind, (${named ?? 'null'})::text as named, (${identity ?? named})::text as identity,
      (${space})::text as space, (${owner ?? 'null'})::text as owner, (${detail ?? 'null'})::text as detail,
      (${inherited ?? 'false'})::boolean as inherited, ${object(facts)} as facts, ${object(more ?? {})} as more,
      ${relationIn(from)}::oid::bigint::text as relation
    from ${from}`
}

/** The relation that a row of the part is about, by the alias it has there. */
function relationIn(from: string): string {
  if (from.startsWith('relation r')) return 'r.oid'
  return from.startsWith('relation') ? 'relation.oid' : 'null'
}

/** `json` rather than `jsonb`, because it keeps the order. */
function object(members: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(members).map(([name, expression]) => `${quoteLiteral(name)}, (${expression})::text`)
  return `json_build_object(${pairs.join(', ')})`
}

const ofTable = `'relation ' || r.path`

/** What the lines of a catalog are made of. */
const lineParts: readonly string[] = [
  part({
    kind: `'table'`,
    named: 'path',
    space: 'nspname',
    owner: `case when relispartition
      then (select 'relation ' || i.inhparent::regclass::text from pg_inherits i where i.inhrelid = relation.oid) end`,
    detail: 'relkind',
    facts: {
      persistence: `case relpersistence when 'u' then 'unlogged' end`,
      form: `case relkind when 'p' then 'partitioned by ' || pg_get_partkeydef(oid) when 'f' then 'foreign' end`,
      inherits: `select 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
        from pg_inherits i where i.inhrelid = relation.oid`,
      bound: 'pg_get_expr(relpartbound, oid)',
      options: `'with (' || array_to_string(reloptions, ', ') || ')'`,
      'row security': `case when relrowsecurity then 'row security' end`,
      'forced row security': `case when relforcerowsecurity then 'forced' end`,
      'replica identity': `case relreplident when 'n' then 'replica identity nothing' when 'f' then 'replica identity full' end`,
    },
    more: {
      'access method': `select 'using ' || m.amname from pg_am m
        where relkind = 'r' and m.oid = relam and m.amname <> 'heap'`,
      'row type': `case when reloftype <> 0 then 'of ' || format_type(reloftype, null) end`,
      server: `select concat('server ', quote_ident(w.srvname), ' options (' || array_to_string(f.ftoptions, ', ') || ')')
        from pg_foreign_table f join pg_foreign_server w on w.oid = f.ftserver where f.ftrelid = relation.oid`,
    },
    from: `relation where relkind in ('r', 'p', 'f')`,
  }),
  part({
    kind: `'column'`,
    named: `r.path || '.' || quote_ident(a.attname)`,
    space: 'r.nspname',
    owner: `case r.relkind when 'c' then 'type ' else 'relation ' end || r.path`,
    detail: 'r.relkind',
    facts: {
      type: 'format_type(a.atttypid, a.atttypmod)',
      'not null': `case when a.attnotnull then 'not null' end`,
      identity: `case a.attidentity when 'a' then 'generated always as identity' when 'd' then 'generated by default as identity' end`,
      default: `case a.attgenerated when '' then 'default' else 'generated ' || a.attgenerated::text end
        || ' ' || pg_get_expr(d.adbin, d.adrelid)`,
      collation: `case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation::text end`,
      compression: `case when a.attcompression <> '' then 'compression ' || a.attcompression::text end`,
    },
    more: {
      storage: `case when r.relkind in ('r', 'p', 'm') and a.attstorage <> t.typstorage then 'storage ' || case a.attstorage
        when 'p' then 'plain' when 'e' then 'external' when 'x' then 'extended' else 'main' end end`,
      'statistics target': `'statistics ' || nullif(a.attstattarget, -1)`,
      'distinct values': `select 'set (' || string_agg(o, ', ' order by o) || ')' from unnest(a.attoptions) o where o like 'n\\_distinct%'`,
    },
    from: `relation r
      join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
      join pg_type t on t.oid = a.atttypid
      left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
      where r.relkind in ('r', 'p', 'f', 'v', 'm', 'c')`,
  }),
  part({
    kind: `'constraint'`,
    named: `r.path || '.' || quote_ident(k.conname)`,
    space: 'r.nspname',
    owner: ofTable,
    detail: 'k.contype',
    inherited: `k.conparentid <> 0 or k.contype = 'c' and r.relispartition and k.coninhcount > 0`,
    facts: { definition: 'pg_get_constraintdef(k.oid)' },
    from: `relation r join pg_constraint k on k.conrelid = r.oid where k.contype in ('c', 'f', 'p', 'u', 'x')`,
  }),
  part({
    kind: `'index'`,
    named: 'r.path',
    space: 'r.nspname',
    owner: `coalesce((select 'constraint ' || i.indrelid::regclass::text || '.' || quote_ident(k.conname) from pg_constraint k
        where k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')),
      'relation ' || i.indrelid::regclass::text)`,
    detail: `case when i.indisunique then 'unique' end`,
    inherited: 'r.relispartition',
    facts: {
      definition: 'pg_get_indexdef(r.oid)',
      validity: `case when not i.indisvalid then 'invalid' end`,
      clustered: `case when i.indisclustered then 'clustered' end`,
      'replica identity': `case when i.indisreplident then 'replica identity' end`,
    },
    from: 'relation r join pg_index i on i.indexrelid = r.oid',
  }),
  part({
    kind: `'sequence'`,
    named: 'r.path',
    space: 'r.nspname',
    owner: `select 'column ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
      from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype in ('a', 'i')`,
    facts: {
      type: 'format_type(q.seqtypid, null)',
      start: `'start ' || q.seqstart`,
      increment: `'increment ' || q.seqincrement`,
      minimum: `'from ' || q.seqmin`,
      maximum: `'to ' || q.seqmax`,
      cycle: `case when q.seqcycle then 'cycle' end`,
      column: `select 'owned by ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
        from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype in ('a', 'i')`,
    },
    more: {
      persistence: `case r.relpersistence when 'u' then 'unlogged' end`,
      cache: `case when q.seqcache <> 1 then 'cache ' || q.seqcache end`,
    },
    from: 'relation r join pg_sequence q on q.seqrelid = r.oid',
  }),
  part({
    kind: `case relkind when 'v' then 'view' else 'materialized view' end`,
    named: 'path',
    space: 'nspname',
    facts: { options: `'with (' || array_to_string(reloptions, ', ') || ')'`, definition: viewText },
    more: { populated: `case when not relispopulated then 'with no data' end` },
    from: `relation where relkind in ('v', 'm')`,
  }),
  part({
    kind: `'function'`,
    named: 'p.oid::regprocedure::text',
    space: 's.nspname',
    // The constructors of a range type come with it.
    owner: `select 'type ' || d.refobjid::regtype::text from pg_depend d
      where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.refclassid = 'pg_type'::regclass and d.deptype = 'i'`,
    detail: 'p.prokind',
    facts: {
      definition: `case when p.prokind in ('f', 'p') then pg_get_functiondef(p.oid)
        else p.prokind::text || ' returns ' || format_type(p.prorettype, null) end`,
    },
    more: {
      aggregate: `select concat_ws(' ', 'sfunc', g.aggtransfn::regprocedure::text, 'stype', format_type(g.aggtranstype, null),
          'finalfunc ' || nullif(g.aggfinalfn, 0)::regprocedure::text,
          'combinefunc ' || nullif(g.aggcombinefn, 0)::regprocedure::text,
          'sortop ' || nullif(g.aggsortop, 0)::regoperator::text, 'initcond ' || quote_literal(g.agginitval))
        from pg_aggregate g where g.aggfnoid = p.oid`,
    },
    from: `pg_proc p join space s on s.oid = p.pronamespace
      where not exists (select from owned o where o.classid = 'pg_proc'::regclass and o.objid = p.oid)`,
  }),
  part({
    kind: `'trigger'`,
    named: `r.path || '.' || quote_ident(t.tgname)`,
    space: 'r.nspname',
    owner: ofTable,
    inherited: 't.tgparentid <> 0',
    facts: {
      definition: 'pg_get_triggerdef(t.oid)',
      enabled: `case when t.tgenabled <> 'O' then 'enabled ' || t.tgenabled::text end`,
    },
    from: 'relation r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal',
  }),
  part({
    kind: `'rule'`,
    named: 'r.path',
    identity: `r.path || '.' || quote_ident(w.rulename)`,
    space: 'r.nspname',
    owner: ofTable,
    facts: { definition: 'pg_get_ruledef(w.oid)' },
    more: { enabled: `case when w.ev_enabled <> 'O' then 'enabled ' || w.ev_enabled::text end` },
    from: `relation r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN'`,
  }),
  part({
    kind: `'policy'`,
    named: `r.path || '.' || quote_ident(y.polname)`,
    space: 'r.nspname',
    owner: ofTable,
    detail: `case when y.polpermissive then 'permissive' else 'restrictive' end`,
    facts: {
      command: 'y.polcmd::text',
      form: `case when y.polpermissive then 'permissive' else 'restrictive' end`,
      roles: `select 'to ' || string_agg(role::regrole::text, ', ' order by role::regrole::text)
        from unnest(y.polroles) as role where role <> 0`,
      using: `'using ' || pg_get_expr(y.polqual, y.polrelid)`,
      check: `'check ' || pg_get_expr(y.polwithcheck, y.polrelid)`,
    },
    from: 'relation r join pg_policy y on y.polrelid = r.oid',
  }),
  part({
    kind: `'statistics'`,
    identity: `format('%I.%I', s.nspname, x.stxname)`,
    space: 's.nspname',
    owner: `'relation ' || x.stxrelid::regclass::text`,
    facts: { definition: 'pg_get_statisticsobjdef(x.oid)' },
    more: { target: `'statistics ' || nullif(x.stxstattarget, -1)` },
    from: 'pg_statistic_ext x join space s on s.oid = x.stxnamespace',
  }),
  part({
    kind: `'type'`,
    named: 't.oid::regtype::text',
    space: 's.nspname',
    detail: 't.typtype',
    facts: {
      definition: `case t.typtype
        when 'e' then 'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                                  from pg_enum e where e.enumtypid = t.oid)
        when 'd' then concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                                case when t.typnotnull then 'not null' end, 'default ' || t.typdefault)
        when 'r' then 'range of ' || (select format_type(g.rngsubtype, null) from pg_range g where g.rngtypid = t.oid)
        else 'composite' end`,
    },
    more: {
      collation: `select 'collate ' || t.typcollation::regcollation::text from pg_type b
        where t.typtype = 'd' and b.oid = t.typbasetype and t.typcollation <> b.typcollation`,
      order: `select '(' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) || ')' from pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped`,
      range: `select concat_ws(' ', 'opclass ' || (select opcname from pg_opclass where oid = g.rngsubopc),
          'collate ' || nullif(g.rngcollation, 0)::regcollation::text,
          'canonical ' || nullif(g.rngcanonical, 0)::regprocedure::text,
          'subtype_diff ' || nullif(g.rngsubdiff, 0)::regprocedure::text,
          'multirange ' || format_type(g.rngmultitypid, null))
        from pg_range g where g.rngtypid = t.oid`,
    },
    from: `pg_type t join space s on s.oid = t.typnamespace
      where (t.typtype in ('e', 'd', 'r')
             or t.typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
        and not exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)`,
  }),
  part({
    kind: `'constraint'`,
    named: `k.contypid::regtype::text || '.' || quote_ident(k.conname)`,
    space: 's.nspname',
    owner: `'type ' || k.contypid::regtype::text`,
    detail: 'k.contype',
    facts: { definition: 'pg_get_constraintdef(k.oid)' },
    from: `pg_constraint k join pg_type t on t.oid = k.contypid join space s on s.oid = t.typnamespace
      where k.contype = 'c'`,
  }),
  part({
    kind: `'comment'`,
    named: `r.path || coalesce('.' || quote_ident(a.attname), '')`,
    identity: `case when a.attname is not null then 'column' else case r.relkind
        when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
        when 'm' then 'materialized view' when 'c' then 'type' else 'table' end end
      || ' ' || r.path || coalesce('.' || quote_ident(a.attname), '')`,
    space: 'r.nspname',
    owner: `case when a.attname is not null then 'column ' when r.relkind = 'c' then 'type ' else 'relation ' end
      || r.path || coalesce('.' || quote_ident(a.attname), '')`,
    facts: { text: 'quote_literal(d.description)' },
    from: `relation r
      join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = r.oid
      left join pg_attribute a on a.attrelid = r.oid and a.attnum = d.objsubid and d.objsubid > 0`,
  }),
]

/** The comments on objects of one kind; `key` is what `keyOf` says of them. */
function commentPart(key: string, catalog: string, from: string, space: string, schema = true): string {
  return part({
    kind: `'comment'`,
    identity: key,
    space,
    ...(schema ? { owner: key } : {}),
    facts: { text: 'quote_literal(d.description)' },
    from: `pg_description d ${from.replace('@', `d.classoid = '${catalog}'::regclass and d.objsubid = 0 and d.objoid`)}`,
  })
}

/** What is not in the lines, which backups keep a hash of. */
export const tolerantParts: readonly string[] = [
  part({
    kind: `'extension'`,
    identity: 'quote_ident(e.extname)',
    space: 'n.nspname',
    facts: { version: 'e.extversion', schema: `'schema ' || quote_ident(n.nspname)` },
    from: `pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname <> 'plpgsql'`,
  }),
  part({ kind: `'schema'`, identity: 'quote_ident(s.nspname)', space: 's.nspname', facts: {}, from: 'space s' }),
  // A NOT NULL that was never validated has a row of its own since PostgreSQL 18.
  part({
    kind: `'constraint'`,
    identity: `r.path || '.' || quote_ident(k.conname)`,
    space: 'r.nspname',
    owner: ofTable,
    detail: 'k.contype',
    inherited: `r.relispartition and k.coninhcount > 0`,
    facts: { definition: 'pg_get_constraintdef(k.oid)' },
    from: `relation r join pg_constraint k on k.conrelid = r.oid where k.contype = 'n' and not k.convalidated`,
  }),
  commentPart(
    `'function ' || p.oid::regprocedure::text`,
    'pg_proc',
    `join pg_proc p on @ = p.oid join space s on s.oid = p.pronamespace`,
    's.nspname',
  ),
  commentPart(
    `'type ' || t.oid::regtype::text`,
    'pg_type',
    `join pg_type t on @ = t.oid join space s on s.oid = t.typnamespace where t.typtype in ('e', 'd', 'r')`,
    's.nspname',
  ),
  commentPart(
    `'constraint ' || r.path || '.' || quote_ident(k.conname)`,
    'pg_constraint',
    'join pg_constraint k on @ = k.oid join relation r on r.oid = k.conrelid',
    'r.nspname',
  ),
  commentPart(
    `'trigger ' || r.path || '.' || quote_ident(t.tgname)`,
    'pg_trigger',
    'join pg_trigger t on @ = t.oid join relation r on r.oid = t.tgrelid',
    'r.nspname',
  ),
  commentPart(
    `'policy ' || r.path || '.' || quote_ident(y.polname)`,
    'pg_policy',
    'join pg_policy y on @ = y.oid join relation r on r.oid = y.polrelid',
    'r.nspname',
  ),
  commentPart(
    `'rule ' || r.path || '.' || quote_ident(w.rulename)`,
    'pg_rewrite',
    'join pg_rewrite w on @ = w.oid join relation r on r.oid = w.ev_class',
    'r.nspname',
  ),
  commentPart(
    `'statistics ' || format('%I.%I', s.nspname, x.stxname)`,
    'pg_statistic_ext',
    'join pg_statistic_ext x on @ = x.oid join space s on s.oid = x.stxnamespace',
    's.nspname',
  ),
  commentPart(
    `'schema ' || quote_ident(s.nspname)`,
    'pg_namespace',
    // What initdb says about public is not the pack's.
    `join space s on @ = s.oid where (s.nspname, d.description) <> ('public', 'standard public schema')`,
    's.nspname',
  ),
]

/** https://docs.timescale.com/api/latest/informational-views/ */
export const timescaleParts: readonly string[] = [
  part({
    kind: `'hypertable'`,
    identity: `format('%I.%I', s.nspname, h.hypertable_name)`,
    space: 's.nspname',
    owner: `'relation ' || format('%I.%I', s.nspname, h.hypertable_name)`,
    facts: {
      dimensions: `select string_agg(concat_ws(' ', quote_ident(d.column_name), d.dimension_type,
          coalesce(d.time_interval::text, d.integer_interval::text, d.num_partitions::text)), ', ' order by d.dimension_number)
        from timescaledb_information.dimensions d
        where d.hypertable_schema = h.hypertable_schema and d.hypertable_name = h.hypertable_name`,
      compression: `case when h.compression_enabled then 'compression' end`,
    },
    from: `timescaledb_information.hypertables h join space s on s.nspname = h.hypertable_schema`,
  }),
  part({
    kind: `'continuous aggregate'`,
    identity: `format('%I.%I', s.nspname, g.view_name)`,
    space: 's.nspname',
    owner: `'relation ' || format('%I.%I', s.nspname, g.view_name)`,
    facts: {
      definition: `regexp_replace(g.view_definition, '_materialized_hypertable_\\d+', '_materialized_hypertable', 'g')`,
      mode: `case when g.materialized_only then 'materialized only' else 'real time' end`,
    },
    from: `timescaledb_information.continuous_aggregates g join space s on s.nspname = g.view_schema`,
  }),
]

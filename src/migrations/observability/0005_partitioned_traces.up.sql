-- Turns traces into a table partitioned by month, with all that hangs on it. PostgreSQL cannot do
-- that in place: the rows are copied into a new table, which then takes over the name.

create function traces_ensure_partitions(from_time timestamptz, to_time timestamptz) returns integer
language plpgsql set search_path from current
as $$
declare
  home constant text := current_schema();
  parent constant regclass := format('%I.%I', home, 'traces')::regclass;
  default_partition regclass;
  owner_name text;
  storage_options text;
  month_start timestamptz;
  month_end timestamptz;
  partition_name text;
  columns text;
  made integer := 0;
begin
  if from_time is null or to_time is null or not isfinite(from_time) or not isfinite(to_time) then
    raise exception 'the window of the partitions has no end: % to %', from_time, to_time
      using errcode = 'invalid_parameter_value', hint = 'Give two finite times.';
  end if;
  if from_time < timestamptz '1970-01-01 00:00:00+00' or to_time > timestamptz '10000-01-01 00:00:00+00' then
    raise exception 'the window of the partitions leaves the years 1970 to 9999: % to %', from_time, to_time
      using errcode = 'invalid_parameter_value', hint = 'Leave such rows to the default partition.';
  end if;

  -- One maker at a time; another waits here and then finds the months made.
  perform pg_advisory_xact_lock(hashtextextended('obs:traces_partitions', parent::oid::bigint));

  select nullif(p.partdefid, 0)::regclass, pg_get_userbyid(c.relowner),
         array_to_string(f.reloptions, ', '),
         (select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
          from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
  into default_partition, owner_name, storage_options, columns
  from pg_class c
  join pg_partitioned_table p on p.partrelid = c.oid
  left join pg_class f on f.oid = nullif(p.partdefid, 0)
  where c.oid = parent;

  month_start := date_trunc('month', from_time, 'UTC');
  while month_start < to_time loop
    month_end := (month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC';
    partition_name := 'traces_' || to_char(month_start at time zone 'UTC', '"y"YYYY"m"MM');
    if not exists (
      select from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = parent and c.relname = partition_name
    ) then
      -- Made beside the table and attached: that does not lock readers and writers of traces out.
      execute format(
        'create table %I.%I (like %s including defaults including constraints including generated'
        ' including storage including compression)%s',
        home, partition_name, parent, coalesce(' with (' || storage_options || ')', ''));
      execute format('alter table %I.%I owner to %I', home, partition_name, owner_name);
      if default_partition is not null then
        execute format('lock table %s in access exclusive mode', default_partition);
        execute format(
          'with moved as (delete from %1$s where timestamp >= $1 and timestamp < $2 returning %2$s)'
          ' insert into %3$I.%4$I (%2$s) select %2$s from moved',
          default_partition, columns, home, partition_name)
          using month_start, month_end;
      end if;
      execute format('alter table %s attach partition %I.%I for values from (%L) to (%L)',
                     parent, home, partition_name, month_start, month_end);
      made := made + 1;
    end if;
    month_start := month_end;
  end loop;
  return made;
end
$$;

comment on function traces_ensure_partitions(timestamptz, timestamptz) is
  'Makes the missing monthly partitions (UTC) of traces for from_time <= timestamp < to_time, moves their rows out of the default partition and returns how many it made.';

-- Both directions of the conversion are one procedure, so that what up carries over down brings back.
create function traces_rebuild(is_partitioned boolean) returns void
language plpgsql set search_path from current
as $$
declare
  home constant text := current_schema();
  source constant oid := format('%I.%I', home, 'traces')::regclass;
  retired constant text := 'traces_before_rebuild';
  facts record;
  obstacles text;
  columns text;
  afterwards text[];
  sequences text[];
  identity record;
  sequence_state record;
  identities text[] := '{}';
  statement text;
  month_start timestamptz;
  rows_before bigint;
  rows_after bigint;
begin
  execute format('lock table %I.traces in access exclusive mode', home);

  select string_agg(obstacle, '; ' order by rank, obstacle) into obstacles
  from (
    select 1, format('unique index %s has no timestamp column', i.indexrelid::regclass)
    from pg_index i
    where is_partitioned and i.indrelid = source and i.indisunique
      and not exists (
        select from pg_attribute a
        where a.attrelid = source and a.attname = 'timestamp'
          and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
      )
    union all
    select 2, format('index %s is invalid (reindex it or drop it)', i.indexrelid::regclass)
    from pg_index i where i.indrelid = source and not i.indisvalid
    union all
    select 3, format('constraint %I is an exclusion constraint', c.conname)
    from pg_constraint c where c.conrelid = source and c.contype = 'x'
    union all
    select 3, format('constraint %I is marked no inherit', c.conname)
    from pg_constraint c where is_partitioned and c.conrelid = source and c.contype in ('c', 'n') and c.connoinherit
    union all
    select 3, format('foreign key %I is not valid (validate it first)', c.conname)
    from pg_constraint c
    where is_partitioned and c.conrelid = source and c.contype = 'f' and not c.convalidated
      and current_setting('server_version_num')::int < 180000
    union all
    select 4, format('foreign key %I of table %s refers to it', c.conname, c.conrelid::regclass)
    from pg_constraint c where c.confrelid = source and c.contype = 'f' and c.conparentid = 0
    union all
    select 5, format('trigger %I', t.tgname)
    from pg_trigger t where t.tgrelid = source and not t.tgisinternal
    union all
    select 6, format('row security policy %I', p.polname)
    from pg_policy p where p.polrelid = source
    union all
    select 6, 'row security is switched on'
    from pg_class c where c.oid = source and (c.relrowsecurity or c.relforcerowsecurity)
    union all
    select distinct 7, format('%s %s (drop it and create it again afterwards)',
                              case v.relkind when 'm' then 'materialized view' when 'v' then 'view' else 'rule on' end,
                              v.oid::regclass)
    from pg_depend d
    join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    join pg_class v on v.oid = r.ev_class
    where d.refclassid = 'pg_class'::regclass and d.refobjid = source
    union all
    select distinct 8, format('%s depends on it (drop it and create it again afterwards)',
                              pg_describe_object(d.classid, d.objid, d.objsubid))
    from pg_depend d
    where d.deptype = 'n'
      and not exists (select from pg_inherits i where i.inhparent = source and d.classid = 'pg_class'::regclass and d.objid = i.inhrelid)
      and not exists (select from pg_attrdef f where f.adrelid = source and d.classid = 'pg_attrdef'::regclass and d.objid = f.oid)
      and d.classid not in ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass)
      and ((d.refclassid = 'pg_class'::regclass and d.refobjid = source)
        or (d.refclassid = 'pg_type'::regclass and d.refobjid in (
              select t.oid from pg_type t where t.typrelid = source
              union all
              select t.typarray from pg_type t where t.typrelid = source)))
    union all
    select 9, format('publication %I holds it (take it out and add it again afterwards)', p.pubname)
    from pg_publication_rel pr join pg_publication p on p.oid = pr.prpubid
    where pr.prrelid = source
    union all
    select 10, format('table %s is joined to it by inheritance', o.other::regclass)
    from pg_inherits i
    cross join lateral (select case when i.inhparent = source then i.inhrelid else i.inhparent end as other) o
    where is_partitioned and source in (i.inhparent, i.inhrelid)
    union all
    select 11, 'it is an unlogged table' from pg_class c where c.oid = source and c.relpersistence = 'u'
    union all
    select 11, 'it has a replica identity of its own' from pg_class c where c.oid = source and c.relreplident <> 'd'
    union all
    select 12, format('it has a security label of %s', s.provider)
    from pg_seclabel s where s.classoid = 'pg_class'::regclass and s.objoid = source
  ) found (rank, obstacle);
  if obstacles is not null then
    raise exception 'traces cannot be rebuilt % partitions: %', case when is_partitioned then 'with' else 'without' end, obstacles
      using errcode = 'dependent_objects_still_exist',
            hint = 'Remove what is listed, migrate, and create it again; nothing was changed.';
  end if;

  select pg_get_userbyid(c.relowner) as owner_name, s.spcname as tablespace_name,
         array_to_string(o.reloptions, ', ') as storage_options
  into facts
  from pg_class c
  left join pg_tablespace s on s.oid = c.reltablespace
  -- A partitioned table has no storage options, so its default partition keeps them.
  left join pg_partitioned_table p on p.partrelid = c.oid
  left join pg_class o on o.oid = coalesce(p.partdefid, c.oid)
  where c.oid = source;

  select string_agg(quote_ident(attname), ', ' order by attnum) into columns
  from pg_attribute
  where attrelid = source and attnum > 0 and not attisdropped and attgenerated = '';

  -- Everything that carries a name is written down now and made once the old table, which holds the names, is gone.
  select coalesce(array_agg(s.statement order by s.rank, s.name), '{}') into afterwards
  from (
    select case c.contype when 'p' then 1 when 'u' then 2 when 'c' then 4 else 5 end, c.conname::text,
           format('alter table %I.traces add constraint %I %s', home, c.conname, pg_get_constraintdef(c.oid))
    from pg_constraint c
    where c.conrelid = source and c.conparentid = 0
      -- Valid checks come with the new table, as their text would not survive parsing unchanged.
      and (c.contype in ('p', 'u', 'f') or c.contype = 'c' and not c.convalidated)
    union all
    select 3, i.indexrelid::regclass::text,
           replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
    from pg_index i
    where i.indrelid = source
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = source and c.contype in ('p', 'u'))
    union all
    select 6, s.stxname::text, pg_get_statisticsobjdef(s.oid) from pg_statistic_ext s where s.stxrelid = source
    union all
    select 7, a.attname::text, format('alter table %I.traces alter column %I set statistics %s', home, a.attname, a.attstattarget)
    from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.attstattarget >= 0
    union all
    select 7, a.attname::text, format('alter table %I.traces alter column %I set (%s)', home, a.attname, array_to_string(a.attoptions, ', '))
    from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.attoptions is not null
    union all
    select 8, '', format('comment on table %I.traces is %L', home, obj_description(source, 'pg_class'))
    where obj_description(source, 'pg_class') is not null
    union all
    select 8, c.conname::text, format('comment on constraint %I on %I.traces is %L', c.conname, home, obj_description(c.oid, 'pg_constraint'))
    from pg_constraint c where c.conrelid = source and obj_description(c.oid, 'pg_constraint') is not null
    union all
    select 8, i.indexrelid::regclass::text, format('comment on index %s is %L', i.indexrelid::regclass, obj_description(i.indexrelid, 'pg_class'))
    from pg_index i where i.indrelid = source and obj_description(i.indexrelid, 'pg_class') is not null
    union all
    select 8, s.stxname::text, format('comment on statistics %s.%I is %L', s.stxnamespace::regnamespace, s.stxname, obj_description(s.oid, 'pg_statistic_ext'))
    from pg_statistic_ext s where s.stxrelid = source and obj_description(s.oid, 'pg_statistic_ext') is not null
    union all
    -- The new table starts with the grants of the default privileges; these give way to the old table's own.
    select 9, '', format('revoke all on %I.traces from %s', home,
                         (select string_agg(distinct g.grantee, ', ')
                          from (select quote_ident(rolname) from pg_roles where oid = c.relowner
                                union all select 'public'
                                union all
                                select quote_ident(r.rolname)
                                from pg_default_acl d
                                cross join lateral aclexplode(d.defaclacl) x
                                join pg_roles r on r.oid = x.grantee
                                where d.defaclobjtype = 'r') g (grantee)))
    from pg_class c where c.oid = source and c.relacl is not null
    union all
    select 10, x.privilege_type, format('grant %s on %I.traces to %s%s', x.privilege_type, home,
                                        case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
                                        case when x.is_grantable then ' with grant option' else '' end)
    from pg_class c cross join lateral aclexplode(c.relacl) x where c.oid = source
    union all
    select 10, a.attname::text, format('grant %s (%I) on %I.traces to %s%s', x.privilege_type, a.attname, home,
                                       case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
                                       case when x.is_grantable then ' with grant option' else '' end)
    from pg_attribute a cross join lateral aclexplode(a.attacl) x
    where a.attrelid = source and a.attnum > 0 and not a.attisdropped
  ) s (rank, name, statement);

  select coalesce(array_agg(format('alter sequence %s owned by %I.traces.%I', d.objid::regclass, home, a.attname)), '{}')
  into sequences
  from pg_depend d
  join pg_class s on s.oid = d.objid and s.relkind = 'S'
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid = source and d.deptype = 'a';

  -- The sequence of an identity column cannot change hands; its copy takes over the name and the value.
  for identity in
    select a.attname as column_name, s.oid::regclass as sequence, s.relname as sequence_name,
           format_type(q.seqtypid, null) as sequence_type
    from pg_depend d
    join pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_sequence q on q.seqrelid = s.oid
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
      and d.refobjid = source and d.deptype = 'i'
  loop
    execute format('select last_value, is_called from %s', identity.sequence) into sequence_state;
    identities := identities || array[array[identity.column_name::text, identity.sequence_name::text,
                                            sequence_state.last_value::text, sequence_state.is_called::text,
                                            identity.sequence_type]];
  end loop;

  execute format('select count(*) from %I.traces', home) into rows_before;
  execute format('alter table %I.traces rename to %I', home, retired);
  execute format(
    'create table %1$I.traces (like %1$I.%2$I including defaults including constraints including generated'
    ' including identity including storage including compression including comments)%3$s%4$s%5$s',
    home, retired,
    case when is_partitioned then ' partition by range (timestamp)' else '' end,
    case when not is_partitioned then ' with (' || facts.storage_options || ')' end,
    ' tablespace ' || quote_ident(facts.tablespace_name));
  execute format('alter table %I.traces owner to %I', home, facts.owner_name);
  for statement in
    select format('alter table %I.traces drop constraint %I', home, c.conname)
    from pg_constraint c where c.conrelid = source and c.contype = 'c' and not c.convalidated
  loop
    execute statement;
  end loop;
  foreach statement in array sequences loop
    execute statement;
  end loop;

  if is_partitioned then
    execute format('create table %1$I.traces_default partition of %1$I.traces default%2$s',
                   home, ' with (' || facts.storage_options || ')');
    execute format('alter table %I.traces_default owner to %I', home, facts.owner_name);
    for month_start in execute format(
      'select distinct date_trunc(''month'', timestamp, ''UTC'') from %I.%I'
      ' where timestamp >= timestamptz ''1970-01-01 00:00:00+00'' and timestamp < timestamptz ''10000-01-01 00:00:00+00'''
      ' order by 1', home, retired)
    loop
      perform traces_ensure_partitions(month_start, month_start + interval '1 day');
    end loop;
  end if;

  execute format('insert into %1$I.traces (%2$s) overriding system value select %2$s from %1$I.%3$I', home, columns, retired);
  get diagnostics rows_after = row_count;
  if rows_after <> rows_before then
    raise exception 'traces held % rows and % were carried over', rows_before, rows_after;
  end if;

  execute format('drop table %I.%I', home, retired);
  foreach statement in array afterwards loop
    execute statement;
  end loop;
  for i in 1 .. cardinality(identities) / 5 loop
    execute format('alter sequence %s rename to %I',
                   pg_get_serial_sequence(format('%I.traces', home), identities[i][1]), identities[i][2]);
    execute format('alter sequence %I.%I as %s', home, identities[i][2], identities[i][5]);
    perform setval(format('%I.%I', home, identities[i][2])::regclass,
                   identities[i][3]::bigint, identities[i][4]::boolean);
  end loop;
  execute format('analyze %I.traces', home);
end
$$;

revoke all on function traces_rebuild(boolean) from public;

comment on function traces_rebuild(boolean) is
  'Rebuilds traces as a partitioned or an ordinary table with everything that hangs on it, or says what cannot be carried over. Migration 0005 owns it.';

select traces_rebuild(is_partitioned => true);

comment on table traces_default is 'Rows of months that have no partition of their own yet.';

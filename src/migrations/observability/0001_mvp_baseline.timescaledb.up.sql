-- obs: allow prefer-identity the MVP numbers its rows with serials, and is adopted as it stands
-- The schema of the MVP as it exists in the field. On an empty schema this makes it; on a database
-- that holds it already, it is adopted as it stands, with columns and indexes of its own.

do $$
declare
  differences text;
begin
  with expected (relation, position, column_name, type, kind, is_required) as (
    values
      ('traces', 1, 'id', 'bigint', 'integer', true),
      ('traces', 2, 'trace_id', 'varchar(64)', 'text', true),
      ('traces', 3, 'workspace_id', 'uuid', 'exact', true),
      ('traces', 4, 'agent_id', 'varchar(128)', 'text', true),
      ('traces', 5, 'timestamp', 'timestamp with time zone', 'exact', true),
      ('traces', 6, 'latency_ms', 'integer', 'integer', true),
      ('traces', 7, 'input', 'text', 'text', false),
      ('traces', 8, 'output', 'text', 'text', false),
      ('traces', 9, 'error', 'text', 'text', false),
      ('traces', 10, 'status', 'varchar(20)', 'text', false),
      ('traces', 11, 'model', 'varchar(64)', 'text', false),
      ('traces', 12, 'model_provider', 'varchar(32)', 'text', false),
      ('traces', 13, 'tokens_input', 'integer', 'integer', false),
      ('traces', 14, 'tokens_output', 'integer', 'integer', false),
      ('traces', 15, 'tokens_total', 'integer', 'integer', false),
      ('traces', 16, 'cost_usd', 'numeric(10,6)', 'numeric', false),
      ('traces', 17, 'metadata', 'jsonb', 'exact', false),
      ('traces', 18, 'tags', 'varchar(64)[]', 'text', false),
      ('traces', 19, 'user_id', 'varchar(128)', 'text', false),
      ('events', 1, 'event_id', 'varchar(64)', 'text', true),
      ('events', 2, 'workspace_id', 'uuid', 'exact', false),
      ('events', 3, 'agent_id', 'varchar(128)', 'text', false),
      ('events', 4, 'timestamp', 'timestamp with time zone', 'exact', true),
      ('events', 5, 'event_type', 'varchar(64)', 'text', false),
      ('events', 6, 'severity', 'varchar(20)', 'text', false),
      ('events', 7, 'title', 'varchar(255)', 'text', false),
      ('events', 8, 'description', 'text', 'text', false),
      ('events', 9, 'metadata', 'jsonb', 'exact', false),
      ('events', 10, 'acknowledged', 'boolean', 'exact', false),
      ('performance_metrics', 1, 'timestamp', 'timestamp with time zone', 'exact', true),
      ('performance_metrics', 2, 'workspace_id', 'uuid', 'exact', false),
      ('performance_metrics', 3, 'agent_id', 'varchar(128)', 'text', false),
      ('performance_metrics', 4, 'metric_name', 'varchar(128)', 'text', false),
      ('performance_metrics', 5, 'value', 'double precision', 'exact', false),
      ('performance_metrics', 6, 'unit', 'varchar(32)', 'text', false),
      ('performance_metrics', 7, 'metadata', 'jsonb', 'exact', false)
  ),
  found_relations as (
    select c.oid, c.relname as relation, c.relkind
    from pg_class c
    where c.relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and c.relname in ('traces', 'events', 'performance_metrics')
  ),
  -- Wider is compatible: text or varchar(255) for varchar(64), bigint for integer, numeric for numeric(10,6).
  compared as (
    select e.*, a.attnum, a.attnotnull, format_type(a.atttypid, a.atttypmod) as found_type,
           a.atthasdef or a.attidentity <> '' as has_default,
           case e.kind
             when 'exact' then format_type(a.atttypid, a.atttypmod) = e.type
             when 'integer' then format_type(a.atttypid, null) in (e.type, 'bigint', 'integer')
             when 'text' then
               format_type(a.atttypid, null) in ('text', 'text[]', 'character varying', 'character varying[]')
               and (format_type(a.atttypid, null) like '%[]') = (e.type like '%[]')
               and (a.atttypmod = -1 or a.atttypmod - 4 >= coalesce(substring(e.type from '\d+')::int, a.atttypmod))
             when 'numeric' then
               format_type(a.atttypid, null) = 'numeric'
               and (a.atttypmod = -1
                 or ((a.atttypmod - 4) & 2047) >= 6
                 and (((a.atttypmod - 4) >> 16) & 65535) - ((a.atttypmod - 4) & 2047) >= 4)
           end as is_compatible
    from expected e
    join found_relations r on r.relation = e.relation and r.relkind = 'r'
    left join pg_attribute a on a.attrelid = r.oid and a.attname = e.column_name and a.attnum > 0 and not a.attisdropped
  ),
  primary_keys as (
    select r.relation,
           (select string_agg(a.attname, ', ' order by k.place)
            from pg_constraint c
            cross join lateral unnest(c.conkey) with ordinality k (attnum, place)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
            where c.conrelid = r.oid and c.contype = 'p') as columns
    from found_relations r
    where r.relation = 'traces' and r.relkind = 'r'
  ),
  found_differences (relation, position, difference) as (
    select relation, 0, format('%s is not an ordinary table', relation)
    from found_relations where relkind <> 'r'
    union all
    select relation, position, format('%s.%s is missing', relation, column_name)
    from compared where attnum is null
    union all
    select relation, position, format('%s.%s is %s instead of %s', relation, column_name, found_type, type)
    from compared where not is_compatible
    union all
    select relation, position, format('%s.%s allows null', relation, column_name)
    from compared where is_required and not attnotnull
    union all
    select relation, position, format('%s.%s has no default', relation, column_name)
    from compared where relation = 'traces' and column_name = 'id' and not has_default
    union all
    select relation, 100, format('%s has %s instead of the primary key (timestamp, trace_id)', relation,
                                 coalesce('the primary key (' || columns || ')', 'no primary key'))
    from primary_keys
    where columns is null or columns not in ('timestamp, trace_id', 'trace_id, timestamp')
    union all
    select r.relation, 101, format('%s.%s exists already, and a later migration adds it', r.relation, a.attname)
    from found_relations r
    join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    where r.relation = 'traces'
      and a.attname in ('department_id', 'environment_id', 'version', 'intent_category', 'user_segment')
  )
  select string_agg(difference, '; ' order by relation desc, position, difference) into differences
  from found_differences;

  if differences is not null then
    raise exception 'the tables in schema % are not those of the MVP: %', current_schema(), differences
      using errcode = 'invalid_table_definition',
            hint = 'Change them to the columns listed in docs/observability-schema.md, or use another schema.';
  end if;
end
$$;

create table if not exists traces (
  id bigserial not null,
  trace_id varchar(64) not null,
  workspace_id uuid not null,
  agent_id varchar(128) not null,
  timestamp timestamptz not null default now(),
  latency_ms integer not null,
  input text,
  output text,
  error text,
  status varchar(20) default 'success',
  model varchar(64),
  model_provider varchar(32),
  tokens_input integer,
  tokens_output integer,
  tokens_total integer,
  cost_usd numeric(10, 6),
  metadata jsonb,
  tags varchar(64)[],
  user_id varchar(128),
  primary key (timestamp, trace_id)
);

-- A wider type is fine as long as no value needs the width: agents, users and rollups have the MVP's.
do $$
declare
  problems text;
begin
  select concat_ws('; ',
           case when bool_or(length(agent_id) > 128) then 'traces.agent_id holds values longer than 128 characters' end,
           case when bool_or(length(user_id) > 128) then 'traces.user_id holds values longer than 128 characters' end,
           case when bool_or(length(model) > 64) then 'traces.model holds values longer than 64 characters' end,
           case when bool_or(length(model_provider) > 32) then 'traces.model_provider holds values longer than 32 characters' end,
           case when bool_or(latency_ms > 2147483647) then 'traces.latency_ms holds values above 2147483647' end)
  into problems
  from traces;

  if problems <> '' then
    raise exception 'the rows in schema % do not fit the MVP: %', current_schema(), problems
      using errcode = 'string_data_right_truncation',
            hint = 'Shorten these values; nothing was changed.';
  end if;
end
$$;

create index if not exists idx_traces_workspace_timestamp on traces (workspace_id, timestamp desc);
create index if not exists idx_traces_agent_timestamp on traces (agent_id, timestamp desc);
create index if not exists idx_traces_status on traces (status, timestamp desc) where status <> 'success';
create index if not exists idx_traces_model on traces (model, timestamp desc);
create index if not exists idx_traces_tags on traces using gin (tags);
create unique index if not exists idx_traces_trace_id_timestamp on traces (trace_id, timestamp);
create index if not exists idx_traces_workspace_agent on traces (workspace_id, agent_id, timestamp desc);
create index if not exists idx_traces_workspace_model on traces (workspace_id, model, timestamp desc);
create index if not exists idx_traces_workspace_status on traces (workspace_id, status, timestamp desc);
create index if not exists idx_traces_workspace_user on traces (workspace_id, user_id, timestamp desc);

create table if not exists events (
  id bigserial not null,
  event_id varchar(64) not null,
  workspace_id uuid not null,
  agent_id varchar(128),
  timestamp timestamptz not null default now(),
  event_type varchar(64) not null,
  severity varchar(20) not null default 'info',
  title varchar(255) not null,
  description text,
  metadata jsonb,
  acknowledged boolean not null default false,
  acknowledged_at timestamptz,
  acknowledged_by varchar(128),
  primary key (timestamp, event_id)
);

create index if not exists idx_events_workspace_timestamp on events (workspace_id, timestamp desc);
create index if not exists idx_events_workspace_agent on events (workspace_id, agent_id, timestamp desc);
create index if not exists idx_events_unacknowledged on events (workspace_id, severity, timestamp desc)
  where not acknowledged;

create table if not exists performance_metrics (
  id bigserial not null,
  timestamp timestamptz not null default now(),
  workspace_id uuid not null,
  agent_id varchar(128),
  metric_name varchar(128) not null,
  value double precision not null,
  unit varchar(32),
  metadata jsonb,
  primary key (timestamp, id)
);

create index if not exists idx_performance_metrics_workspace_metric
  on performance_metrics (workspace_id, metric_name, timestamp desc);
create index if not exists idx_performance_metrics_workspace_agent
  on performance_metrics (workspace_id, agent_id, timestamp desc);

-- What only TimescaleDB has. An ordinary table that is adopted becomes a hypertable with its rows.
select create_hypertable('traces', 'timestamp', chunk_time_interval => interval '1 day',
                         if_not_exists => true, migrate_data => true, create_default_indexes => false);
select create_hypertable('events', 'timestamp', chunk_time_interval => interval '1 day',
                         if_not_exists => true, migrate_data => true, create_default_indexes => false);
select create_hypertable('performance_metrics', 'timestamp', chunk_time_interval => interval '1 day',
                         if_not_exists => true, migrate_data => true, create_default_indexes => false);

create materialized view if not exists traces_hourly
  with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket('1 hour', timestamp) as bucket,
       workspace_id,
       agent_id,
       model,
       count(*) as trace_count,
       count(*) filter (where status <> 'success') as error_count,
       avg(latency_ms) as latency_avg_ms,
       sum(tokens_total) as tokens_total,
       sum(cost_usd) as cost_usd
from traces
group by 1, 2, 3, 4
with no data;

create materialized view if not exists traces_daily
  with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket('1 day', timestamp) as bucket,
       workspace_id,
       agent_id,
       model,
       count(*) as trace_count,
       count(*) filter (where status <> 'success') as error_count,
       avg(latency_ms) as latency_avg_ms,
       sum(tokens_total) as tokens_total,
       sum(cost_usd) as cost_usd
from traces
group by 1, 2, 3, 4
with no data;

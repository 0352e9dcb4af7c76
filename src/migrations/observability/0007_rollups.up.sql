-- Sums of traces by hour and by day. Triggers log which hours changed, and traces_refresh_rollups()
-- recomputes just those: a sum that is counted anew cannot drift, as one that is added to could.

create table traces_hourly (
  bucket timestamptz not null,
  workspace_id uuid not null,
  department_id uuid not null,
  environment_id uuid not null,
  agent_id varchar(128) not null,
  version varchar(50) not null,
  intent_category varchar(100) not null,
  user_segment varchar(50),
  model varchar(64),
  model_provider varchar(32),
  trace_count bigint not null,
  success_count bigint not null,
  error_count bigint not null,
  timeout_count bigint not null,
  latency_sum_ms bigint not null,
  latency_min_ms integer not null,
  latency_max_ms integer not null,
  latency_avg_ms numeric not null,
  tokens_input bigint not null,
  tokens_output bigint not null,
  tokens_total bigint not null,
  cost_usd numeric not null,
  constraint traces_hourly_key unique nulls not distinct (
    workspace_id, bucket, department_id, environment_id, agent_id, version, intent_category,
    user_segment, model, model_provider
  )
);

create index idx_traces_hourly_bucket on traces_hourly (bucket);
create index idx_traces_hourly_workspace_dept_bucket on traces_hourly (workspace_id, department_id, bucket);
create index idx_traces_hourly_workspace_agent_bucket on traces_hourly (workspace_id, agent_id, bucket);

comment on table traces_hourly is 'Traces summed up by hour (UTC); kept by traces_refresh_rollups().';

create table traces_daily (
  bucket timestamptz not null,
  workspace_id uuid not null,
  department_id uuid not null,
  environment_id uuid not null,
  agent_id varchar(128) not null,
  version varchar(50) not null,
  intent_category varchar(100) not null,
  user_segment varchar(50),
  model varchar(64),
  model_provider varchar(32),
  trace_count bigint not null,
  success_count bigint not null,
  error_count bigint not null,
  timeout_count bigint not null,
  latency_sum_ms bigint not null,
  latency_min_ms integer not null,
  latency_max_ms integer not null,
  latency_avg_ms numeric not null,
  tokens_input bigint not null,
  tokens_output bigint not null,
  tokens_total bigint not null,
  cost_usd numeric not null,
  constraint traces_daily_key unique nulls not distinct (
    workspace_id, bucket, department_id, environment_id, agent_id, version, intent_category,
    user_segment, model, model_provider
  )
);

create index idx_traces_daily_bucket on traces_daily (bucket);
create index idx_traces_daily_workspace_dept_bucket on traces_daily (workspace_id, department_id, bucket);
create index idx_traces_daily_workspace_agent_bucket on traces_daily (workspace_id, agent_id, bucket);

comment on table traces_daily is 'Traces summed up by day (UTC); kept by traces_refresh_rollups().';

create table traces_rollup_changes (
  id bigint generated always as identity,
  bucket timestamptz not null,
  constraint traces_rollup_changes_pkey primary key (id)
);

comment on table traces_rollup_changes is
  'Hours (UTC) whose traces changed since the last traces_refresh_rollups(). Whoever fills a partition before attaching it writes its hours here.';

create function traces_log_insert() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
  insert into traces_rollup_changes (bucket)
  select distinct date_trunc('hour', timestamp, 'UTC') from new_rows;
  return null;
end
$$;

create function traces_log_update() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
  insert into traces_rollup_changes (bucket)
  select date_trunc('hour', timestamp, 'UTC') from old_rows
  union
  select date_trunc('hour', timestamp, 'UTC') from new_rows;
  return null;
end
$$;

create function traces_log_delete() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
  insert into traces_rollup_changes (bucket)
  select distinct date_trunc('hour', timestamp, 'UTC') from old_rows;
  return null;
end
$$;

create function traces_log_truncate() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
  insert into traces_rollup_changes (bucket)
  select distinct bucket from traces_hourly;
  return null;
end
$$;

-- The functions run with their owner's rights, so that a role that may write traces needs no right
-- on the log; a temporary table of the caller's must then never stand in for it.
do $$
declare
  name text;
begin
  foreach name in array array['traces_log_insert', 'traces_log_update', 'traces_log_delete', 'traces_log_truncate'] loop
    execute format('alter function %I() set search_path = %I, pg_temp', name, current_schema());
  end loop;
end
$$;

create trigger traces_log_insert after insert on traces
  referencing new table as new_rows for each statement execute function traces_log_insert();
create trigger traces_log_update after update on traces
  referencing old table as old_rows new table as new_rows for each statement execute function traces_log_update();
create trigger traces_log_delete after delete on traces
  referencing old table as old_rows for each statement execute function traces_log_delete();
create trigger traces_log_truncate after truncate on traces
  for each statement execute function traces_log_truncate();

create function traces_refresh_rollups() returns bigint
language plpgsql set search_path from current set work_mem = '128MB'
as $$
declare
  hours timestamptz[];
  span record;
begin
  -- One refresh at a time. Each statement below sees what was committed when it began, so a writer
  -- that commits after the log was read leaves its hours there for the next refresh.
  perform pg_advisory_xact_lock(hashtextextended('obs:traces_rollups', 'traces_hourly'::regclass::oid::bigint));

  with taken as (
    delete from traces_rollup_changes returning bucket
  )
  select array_agg(distinct bucket) into hours from taken;

  -- Neighbouring hours are recomputed together. An infinite bucket is a span of its own.
  for span in
    select lower(r) as first_moment, upper(r) - interval '1 microsecond' as last_moment
    from (select range_agg(tstzrange(h, h + interval '1 hour')) from unnest(hours) h where isfinite(h)) s (spans)
    cross join lateral unnest(s.spans) r
    union all
    select h, h from unnest(hours) h where not isfinite(h)
    order by 1
  loop
    delete from traces_hourly where bucket >= span.first_moment and bucket <= span.last_moment;
    insert into traces_hourly
    select date_trunc('hour', timestamp, 'UTC') as hour, workspace_id, department_id, environment_id, agent_id, version, intent_category,
           user_segment, model, model_provider,
           count(*),
           count(*) filter (where status = 'success'),
           count(*) filter (where status = 'error'),
           count(*) filter (where status = 'timeout'),
           sum(latency_ms), min(latency_ms), max(latency_ms), avg(latency_ms),
           coalesce(sum(tokens_input), 0), coalesce(sum(tokens_output), 0), coalesce(sum(tokens_total), 0),
           coalesce(sum(cost_usd), 0)
    from traces
    where timestamp >= span.first_moment and timestamp <= span.last_moment
    group by hour, workspace_id, department_id, environment_id, agent_id, version, intent_category,
             user_segment, model, model_provider
    -- In the order of the unique key, whose pages then fill one after the other.
    order by workspace_id, hour;
  end loop;

  for span in
    select lower(r) as first_moment, upper(r) - interval '1 microsecond' as last_moment
    from (
      select range_agg(tstzrange(d.day, d.day + interval '24 hours'))
      from unnest(hours) h
      cross join lateral (select date_trunc('day', h, 'UTC')) d (day)
      where isfinite(h)
    ) s (spans)
    cross join lateral unnest(s.spans) r
    union all
    select h, h from unnest(hours) h where not isfinite(h)
    order by 1
  loop
    delete from traces_daily where bucket >= span.first_moment and bucket <= span.last_moment;
    insert into traces_daily
    select date_trunc('day', bucket, 'UTC') as day, workspace_id, department_id, environment_id, agent_id, version, intent_category,
           user_segment, model, model_provider,
           sum(trace_count), sum(success_count), sum(error_count), sum(timeout_count),
           sum(latency_sum_ms), min(latency_min_ms), max(latency_max_ms), sum(latency_sum_ms) / sum(trace_count),
           sum(tokens_input), sum(tokens_output), sum(tokens_total), sum(cost_usd)
    from traces_hourly
    where bucket >= span.first_moment and bucket <= span.last_moment
    group by day, workspace_id, department_id, environment_id, agent_id, version, intent_category,
             user_segment, model, model_provider
    order by workspace_id, day;
  end loop;

  return coalesce(cardinality(hours), 0);
end
$$;

comment on function traces_refresh_rollups() is
  'Recomputes traces_hourly and traces_daily where traces changed since the last call; returns the number of hours.';

insert into traces_rollup_changes (bucket)
select distinct date_trunc('hour', timestamp, 'UTC') from traces;

select traces_refresh_rollups();

analyze traces_hourly;
analyze traces_daily;

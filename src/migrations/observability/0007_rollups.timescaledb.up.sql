-- The same rollups as continuous aggregates: TimescaleDB itself notes what changed. Buckets that are
-- not materialised yet are summed up as they are read, so that the sums are right at any time.

drop materialized view if exists traces_daily;
drop materialized view if exists traces_hourly;

create materialized view traces_hourly
  with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket('1 hour', timestamp) as bucket,
       workspace_id,
       department_id,
       environment_id,
       agent_id,
       version,
       intent_category,
       user_segment,
       model,
       model_provider,
       count(*) as trace_count,
       count(*) filter (where status = 'success') as success_count,
       count(*) filter (where status = 'error') as error_count,
       count(*) filter (where status = 'timeout') as timeout_count,
       sum(latency_ms) as latency_sum_ms,
       min(latency_ms) as latency_min_ms,
       max(latency_ms) as latency_max_ms,
       avg(latency_ms) as latency_avg_ms,
       coalesce(sum(tokens_input), 0) as tokens_input,
       coalesce(sum(tokens_output), 0) as tokens_output,
       coalesce(sum(tokens_total), 0) as tokens_total,
       coalesce(sum(cost_usd), 0) as cost_usd
from traces
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
with no data;

create materialized view traces_daily
  with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket('1 day', timestamp) as bucket,
       workspace_id,
       department_id,
       environment_id,
       agent_id,
       version,
       intent_category,
       user_segment,
       model,
       model_provider,
       count(*) as trace_count,
       count(*) filter (where status = 'success') as success_count,
       count(*) filter (where status = 'error') as error_count,
       count(*) filter (where status = 'timeout') as timeout_count,
       sum(latency_ms) as latency_sum_ms,
       min(latency_ms) as latency_min_ms,
       max(latency_ms) as latency_max_ms,
       avg(latency_ms) as latency_avg_ms,
       coalesce(sum(tokens_input), 0) as tokens_input,
       coalesce(sum(tokens_output), 0) as tokens_output,
       coalesce(sum(tokens_total), 0) as tokens_total,
       coalesce(sum(cost_usd), 0) as cost_usd
from traces
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
with no data;

create index idx_traces_hourly_workspace_dept_bucket on traces_hourly (workspace_id, department_id, bucket);
create index idx_traces_hourly_workspace_agent_bucket on traces_hourly (workspace_id, agent_id, bucket);
create index idx_traces_daily_workspace_dept_bucket on traces_daily (workspace_id, department_id, bucket);
create index idx_traces_daily_workspace_agent_bucket on traces_daily (workspace_id, agent_id, bucket);

select add_continuous_aggregate_policy('traces_hourly',
  start_offset => null, end_offset => interval '1 hour', schedule_interval => interval '1 hour');
select add_continuous_aggregate_policy('traces_daily',
  start_offset => null, end_offset => interval '1 day', schedule_interval => interval '6 hours');

-- A procedure, because a refresh commits on its own; for the same reason it cannot carry a search
-- path, and names its objects in full.
do $$
declare
  home constant text := quote_ident(current_schema());
  tools constant text := (
    select quote_ident(n.nspname)
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'timescaledb'
  );
begin
  execute format(
    $procedure$
      create procedure traces_refresh_rollups()
      language plpgsql
      as $body$
      begin
        call %1$s.refresh_continuous_aggregate(%2$L::regclass, null, null);
        call %1$s.refresh_continuous_aggregate(%3$L::regclass, null, null);
      end
      $body$
    $procedure$,
    tools, home || '.traces_hourly', home || '.traces_daily');
end
$$;

comment on procedure traces_refresh_rollups() is
  'Materialises what changed in traces_hourly and traces_daily; to be called outside a transaction.';

-- Loses sums only. The aggregates of the MVP come back as migration 0001 makes them.
drop procedure traces_refresh_rollups();
drop materialized view traces_daily;
drop materialized view traces_hourly;

create materialized view traces_hourly
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

create materialized view traces_daily
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

select coalesce(r.workspace_id, t.workspace_id) as workspace_id, coalesce(r.bucket, t.bucket) as bucket,
       r.traces as rollup_traces, t.traces as raw_traces
from (
  select workspace_id, bucket, sum(trace_count) as traces, sum(success_count) as successes, sum(error_count) as errors,
         sum(timeout_count) as timeouts, sum(latency_sum_ms) as latency, sum(tokens_input) as tokens_input,
         sum(tokens_output) as tokens_output, sum(tokens_total) as tokens_total, sum(cost_usd) as cost
  from traces_hourly
  group by workspace_id, bucket
) r
full join (
  select workspace_id, date_trunc('hour', timestamp, 'UTC') as bucket, count(*) as traces,
         count(*) filter (where status = 'success') as successes, count(*) filter (where status = 'error') as errors,
         count(*) filter (where status = 'timeout') as timeouts, sum(latency_ms) as latency,
         coalesce(sum(tokens_input), 0) as tokens_input, coalesce(sum(tokens_output), 0) as tokens_output,
         coalesce(sum(tokens_total), 0) as tokens_total, coalesce(sum(cost_usd), 0) as cost
  from traces
  group by workspace_id, date_trunc('hour', timestamp, 'UTC')
) t on t.workspace_id = r.workspace_id and t.bucket = r.bucket
where (r.traces, r.successes, r.errors, r.timeouts, r.latency, r.tokens_input, r.tokens_output, r.tokens_total, r.cost)
      is distinct from
      (t.traces, t.successes, t.errors, t.timeouts, t.latency, t.tokens_input, t.tokens_output, t.tokens_total, t.cost)
limit 10;

select coalesce(r.workspace_id, t.workspace_id) as workspace_id, coalesce(r.bucket, t.bucket) as bucket,
       r.traces as rollup_traces, t.traces as raw_traces
from (
  select workspace_id, bucket, sum(trace_count) as traces, sum(success_count) as successes, sum(error_count) as errors,
         sum(timeout_count) as timeouts, sum(latency_sum_ms) as latency, sum(tokens_input) as tokens_input,
         sum(tokens_output) as tokens_output, sum(tokens_total) as tokens_total, sum(cost_usd) as cost
  from traces_daily
  group by workspace_id, bucket
) r
full join (
  select workspace_id, date_trunc('day', timestamp, 'UTC') as bucket, count(*) as traces,
         count(*) filter (where status = 'success') as successes, count(*) filter (where status = 'error') as errors,
         count(*) filter (where status = 'timeout') as timeouts, sum(latency_ms) as latency,
         coalesce(sum(tokens_input), 0) as tokens_input, coalesce(sum(tokens_output), 0) as tokens_output,
         coalesce(sum(tokens_total), 0) as tokens_total, coalesce(sum(cost_usd), 0) as cost
  from traces
  group by workspace_id, date_trunc('day', timestamp, 'UTC')
) t on t.workspace_id = r.workspace_id and t.bucket = r.bucket
where (r.traces, r.successes, r.errors, r.timeouts, r.latency, r.tokens_input, r.tokens_output, r.tokens_total, r.cost)
      is distinct from
      (t.traces, t.successes, t.errors, t.timeouts, t.latency, t.tokens_input, t.tokens_output, t.tokens_total, t.cost)
limit 10;

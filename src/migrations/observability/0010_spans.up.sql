-- The steps of a trace, partitioned by the month of the trace, so that they stay together.
create table spans (
  workspace_id uuid not null,
  trace_timestamp timestamptz not null,
  trace_id varchar(64) not null,
  span_id varchar(16) not null,
  parent_span_id varchar(16),
  started_at timestamptz not null,
  agent_id varchar(128) not null,
  kind varchar(20) not null,
  operation varchar(32) not null,
  name varchar(255) not null,
  duration_ms integer not null,
  status varchar(20) not null default 'success',
  error text,
  model varchar(64),
  model_provider varchar(32),
  tokens_input integer,
  tokens_output integer,
  cost_usd numeric(10, 6),
  tool_name varchar(128),
  metadata jsonb not null default '{}',
  constraint spans_pkey primary key (workspace_id, trace_timestamp, trace_id, span_id),
  constraint chk_spans_kind check (kind in ('agent', 'llm', 'tool', 'retriever')),
  constraint chk_spans_status check (status in ('success', 'error', 'timeout')),
  constraint chk_spans_duration check (duration_ms >= 0)
) partition by range (trace_timestamp);

create index idx_spans_workspace_trace on spans (workspace_id, trace_id, started_at);
create index idx_spans_workspace_kind on spans (workspace_id, kind, started_at desc);
create index idx_spans_workspace_tool on spans (workspace_id, tool_name, started_at desc) where tool_name is not null;
create index idx_spans_failed on spans (workspace_id, started_at desc) where status <> 'success';

comment on table spans is 'What a trace did, step by step: calls of models, tools and retrievers within the run of an agent.';
comment on column spans.parent_span_id is 'The span that this one is a part of; null for the whole, which lasts as long as its trace.';
comment on column spans.trace_timestamp is 'With trace_id the key of the trace; it finds the partition, so that the spans of a trace are never apart.';
comment on column spans.operation is 'gen_ai.operation.name of the semantic conventions of OpenTelemetry: invoke_agent, chat, execute_tool, retrieval.';
comment on column spans.cost_usd is 'Of calls of models alone; those of a trace add up to its cost.';
comment on column spans.metadata is 'Further attributes under their OpenTelemetry names; obs_run names the seeding run that made the row.';

create table spans_default partition of spans default;

comment on table spans_default is 'Rows of months that have no partition of their own yet.';

create function spans_ensure_partitions(from_time timestamptz, to_time timestamptz) returns integer
language plpgsql set search_path from current
as $$
declare
  home constant text := current_schema();
  month_start timestamptz;
  month_end timestamptz;
  partition_name text;
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
  perform pg_advisory_xact_lock(
    hashtextextended('obs:spans_partitions', format('%I.spans', home)::regclass::oid::bigint));

  month_start := date_trunc('month', from_time, 'UTC');
  while month_start < to_time loop
    month_end := (month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC';
    partition_name := 'spans_' || to_char(month_start at time zone 'UTC', '"y"YYYY"m"MM');
    if to_regclass(format('%I.%I', home, partition_name)) is null then
      -- Made beside the table and attached: that does not lock readers and writers of spans out.
      execute format('create table %1$I.%2$I (like %1$I.spans including defaults including constraints)', home, partition_name);
      execute format('lock table %I.spans_default in access exclusive mode', home);
      execute format(
        'with moved as (delete from %1$I.spans_default where trace_timestamp >= $1 and trace_timestamp < $2 returning *)'
        ' insert into %1$I.%2$I select * from moved',
        home, partition_name)
        using month_start, month_end;
      execute format('alter table %1$I.spans attach partition %1$I.%2$I for values from (%3$L) to (%4$L)',
                     home, partition_name, month_start, month_end);
      made := made + 1;
    end if;
    month_start := month_end;
  end loop;
  return made;
end
$$;

comment on function spans_ensure_partitions(timestamptz, timestamptz) is
  'Makes the missing monthly partitions (UTC) of spans for from_time <= trace_timestamp < to_time, moves their rows out of the default partition and returns how many it made.';

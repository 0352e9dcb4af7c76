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
);

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

select create_hypertable('spans', 'trace_timestamp', chunk_time_interval => interval '1 day', create_default_indexes => false);

-- A hypertable makes its chunks by itself. The function exists all the same, so that whoever loads
-- data need not ask what the server is.
create function spans_ensure_partitions(from_time timestamptz, to_time timestamptz) returns integer
language sql immutable
as $$ select 0 $$;

comment on function spans_ensure_partitions(timestamptz, timestamptz) is
  'Makes nothing and returns 0: TimescaleDB makes the chunks of spans as rows arrive.';

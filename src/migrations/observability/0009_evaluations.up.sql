create table evaluations (
  id uuid not null,
  workspace_id uuid not null,
  trace_id varchar(64) not null,
  trace_timestamp timestamptz not null,
  agent_id varchar(128) not null,
  evaluator varchar(64) not null,
  metric varchar(64) not null,
  score numeric(5, 2) not null,
  is_passing boolean not null,
  comment text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint evaluations_pkey primary key (workspace_id, created_at, id),
  constraint chk_evaluations_score check (score between 0 and 100)
);

create index idx_evaluations_workspace_trace on evaluations (workspace_id, trace_id);
create index idx_evaluations_workspace_agent on evaluations (workspace_id, agent_id, created_at desc);

comment on table evaluations is 'How good an answer was: scores from 0 to 100, by evaluator and metric.';
comment on column evaluations.trace_timestamp is 'With trace_id the key of the trace, and what finds its partition.';
comment on column evaluations.metadata is 'obs_run names the seeding run that made the row.';

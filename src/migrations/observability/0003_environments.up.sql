create table environments (
  id uuid not null,
  workspace_id uuid not null,
  environment_code varchar(50) not null,
  environment_name varchar(255) not null,
  description text,
  is_production boolean not null default false,
  requires_approval boolean not null default false,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint environments_pkey primary key (workspace_id, id),
  constraint environments_workspace_id_environment_code_key unique (workspace_id, environment_code)
);

create index idx_environments_metadata on environments using gin (metadata);

comment on table environments is 'Where an agent runs: production, staging and development of each workspace.';
comment on column environments.id is
  'uuid_v5(base, ''environment:'' || workspace_id || '':'' || environment_code), where base = uuid_v5(URL namespace, ''https://obs.dev/observability'').';
comment on column environments.requires_approval is 'A deployment to this environment needs a second person.';
comment on column environments.metadata is 'obs_run names the seeding run that made the row; rows made by a migration have none.';

with base (namespace) as (
  select uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability')
),
codes (environment_code, environment_name, description, is_production, requires_approval) as (
  values
    ('production', 'Production', 'Serves real users', true, true),
    ('staging', 'Staging', 'Rehearses a release', false, true),
    ('development', 'Development', 'Where agents are built', false, false)
),
found_workspaces as (
  select workspace_id, min(timestamp) as first_seen from traces group by workspace_id
)
insert into environments (
  id, workspace_id, environment_code, environment_name, description,
  is_production, requires_approval, created_at, updated_at
)
select uuid_v5(b.namespace, 'environment:' || w.workspace_id || ':' || c.environment_code), w.workspace_id,
       c.environment_code, c.environment_name, c.description, c.is_production, c.requires_approval,
       w.first_seen, w.first_seen
from found_workspaces w
cross join codes c
cross join base b;

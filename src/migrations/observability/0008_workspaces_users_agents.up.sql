create table workspaces (
  id uuid not null,
  workspace_id uuid not null,
  workspace_code varchar(50) not null,
  workspace_name varchar(255) not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workspaces_pkey primary key (id),
  constraint chk_workspaces_workspace_id check (workspace_id = id)
);

create index idx_workspaces_metadata on workspaces using gin (metadata);

comment on table workspaces is 'The tenants. Every row of every table belongs to one.';
comment on column workspaces.workspace_id is 'The same as id, so that every table is filtered alike.';

create table users (
  id uuid not null,
  workspace_id uuid not null,
  user_id varchar(128) not null,
  display_name varchar(255),
  email varchar(255),
  user_segment varchar(50),
  department_id uuid,
  signed_up_at timestamptz,
  last_seen_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint users_pkey primary key (workspace_id, id),
  constraint users_workspace_id_user_id_key unique (workspace_id, user_id),
  constraint chk_users_user_segment check (user_segment in ('power_user', 'regular', 'new', 'dormant', 'struggling')),
  constraint fk_users_department foreign key (workspace_id, department_id) references departments (workspace_id, id)
);

create index idx_users_workspace_department on users (workspace_id, department_id);
create index idx_users_workspace_segment on users (workspace_id, user_segment);
create index idx_users_workspace_signed_up_at on users (workspace_id, signed_up_at);
create index idx_users_metadata on users using gin (metadata);

comment on table users is 'Who asked; traces.user_id refers to user_id by value.';
comment on column users.id is
  'uuid_v5(base, ''user:'' || workspace_id || '':'' || user_id), where base = uuid_v5(URL namespace, ''https://obs.dev/observability'').';
comment on column users.signed_up_at is 'Where nobody recorded it, the first trace of the user.';

create table agents (
  id uuid not null,
  workspace_id uuid not null,
  agent_id varchar(128) not null,
  agent_name varchar(255) not null,
  agent_type varchar(64),
  department_id uuid not null,
  environment_id uuid not null,
  version varchar(50) not null,
  status varchar(20) not null default 'active',
  owner_team varchar(128),
  last_deployed_at timestamptz,
  deprecation_date date,
  replacement_agent_id varchar(128),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agents_pkey primary key (workspace_id, id),
  constraint agents_workspace_id_agent_id_key unique (workspace_id, agent_id),
  constraint chk_agents_status check (status in ('active', 'beta', 'deprecated', 'inactive')),
  constraint fk_agents_department foreign key (workspace_id, department_id) references departments (workspace_id, id),
  constraint fk_agents_environment foreign key (workspace_id, environment_id) references environments (workspace_id, id)
);

create index idx_agents_workspace_department on agents (workspace_id, department_id);
create index idx_agents_workspace_environment on agents (workspace_id, environment_id);
create index idx_agents_workspace_status on agents (workspace_id, status);
create index idx_agents_metadata on agents using gin (metadata);

comment on table agents is 'The agents that answer; traces.agent_id refers to agent_id by value.';
comment on column agents.id is
  'uuid_v5(base, ''agent:'' || workspace_id || '':'' || agent_id), where base = uuid_v5(URL namespace, ''https://obs.dev/observability'').';
comment on column agents.version is 'The version that served its latest trace.';
comment on column agents.replacement_agent_id is 'The agent_id to use instead of a deprecated one.';

insert into workspaces (id, workspace_id, workspace_code, workspace_name, created_at, updated_at)
select workspace_id, workspace_id, 'ws-' || workspace_id, 'Workspace ' || workspace_id, min(timestamp), min(timestamp)
from traces
group by workspace_id;

with seen as (
  select workspace_id, user_id, min(timestamp) as first_seen, max(timestamp) as last_seen
  from traces
  where user_id is not null
  group by workspace_id, user_id
),
latest as (
  select distinct on (workspace_id, user_id) workspace_id, user_id, department_id, user_segment
  from traces
  where user_id is not null
  order by workspace_id, user_id, timestamp desc, trace_id desc
),
base (namespace) as (
  select uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability')
)
insert into users (
  id, workspace_id, user_id, display_name, user_segment, department_id,
  signed_up_at, last_seen_at, created_at, updated_at
)
select uuid_v5(b.namespace, 'user:' || s.workspace_id || ':' || s.user_id), s.workspace_id, s.user_id, s.user_id,
       l.user_segment, l.department_id, s.first_seen, s.last_seen, s.first_seen, s.last_seen
from seen s
join latest l on l.workspace_id = s.workspace_id and l.user_id = s.user_id
cross join base b;

with seen as (
  select workspace_id, agent_id, min(timestamp) as first_seen, max(timestamp) as last_seen
  from traces
  group by workspace_id, agent_id
),
latest as (
  select distinct on (workspace_id, agent_id) workspace_id, agent_id, department_id, environment_id, version
  from traces
  order by workspace_id, agent_id, timestamp desc, trace_id desc
),
deployed as (
  select workspace_id, agent_id, version, min(timestamp) as first_seen
  from traces
  group by workspace_id, agent_id, version
),
newest as (
  select workspace_id, max(timestamp) as last_seen from traces group by workspace_id
),
base (namespace) as (
  select uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability')
)
insert into agents (
  id, workspace_id, agent_id, agent_name, agent_type, department_id, environment_id, version, status,
  owner_team, last_deployed_at, created_at, updated_at
)
select uuid_v5(b.namespace, 'agent:' || s.workspace_id || ':' || s.agent_id), s.workspace_id, s.agent_id, s.agent_id,
       left(regexp_replace(s.agent_id, '[-_ ]*[0-9]+$', ''), 64), l.department_id, l.environment_id, l.version,
       case when s.last_seen < n.last_seen - interval '30 days' then 'inactive' else 'active' end,
       d.department_code, p.first_seen, s.first_seen, s.last_seen
from seen s
join latest l on l.workspace_id = s.workspace_id and l.agent_id = s.agent_id
join deployed p on p.workspace_id = s.workspace_id and p.agent_id = s.agent_id and p.version = l.version
join newest n on n.workspace_id = s.workspace_id
join departments d on d.workspace_id = s.workspace_id and d.id = l.department_id
cross join base b;

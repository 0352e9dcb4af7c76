-- SHA-1 is written out because a plain server has none: pgcrypto and uuid-ossp are extensions
-- that may not be installed, and the ids have to be the same in every database.
create function uuid_v5(namespace uuid, name text) returns uuid
language plpgsql immutable strict parallel safe
as $$
declare
  mask constant bigint := 4294967295;
  message bytea := uuid_send(namespace) || convert_to(name, 'UTF8');
  size constant int := length(message);
  h0 bigint := 1732584193;
  h1 bigint := 4023233417;
  h2 bigint := 2562383102;
  h3 bigint := 271733878;
  h4 bigint := 3285377520;
  w bigint[];
  a bigint;
  b bigint;
  c bigint;
  d bigint;
  e bigint;
  f bigint;
  x bigint;
  digest bytea;
begin
  message := message || '\x80'::bytea || decode(repeat('00', (119 - size % 64) % 64), 'hex') || int8send(size::bigint * 8);
  for block in 0 .. length(message) / 64 - 1 loop
    for i in 0 .. 15 loop
      w[i] := (get_byte(message, block * 64 + i * 4)::bigint << 24)
            | (get_byte(message, block * 64 + i * 4 + 1) << 16)
            | (get_byte(message, block * 64 + i * 4 + 2) << 8)
            | get_byte(message, block * 64 + i * 4 + 3);
    end loop;
    for i in 16 .. 79 loop
      x := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
      w[i] := ((x << 1) | (x >> 31)) & mask;
    end loop;
    a := h0;
    b := h1;
    c := h2;
    d := h3;
    e := h4;
    for i in 0 .. 79 loop
      if i < 20 then
        f := ((b & c) | ((b # mask) & d)) + 1518500249;
      elsif i < 40 then
        f := (b # c # d) + 1859775393;
      elsif i < 60 then
        f := ((b & c) | (b & d) | (c & d)) + 2400959708;
      else
        f := (b # c # d) + 3395469782;
      end if;
      x := ((((a << 5) | (a >> 27)) & mask) + f + e + w[i]) & mask;
      e := d;
      d := c;
      c := ((b << 30) | (b >> 2)) & mask;
      b := a;
      a := x;
    end loop;
    h0 := (h0 + a) & mask;
    h1 := (h1 + b) & mask;
    h2 := (h2 + c) & mask;
    h3 := (h3 + d) & mask;
    h4 := (h4 + e) & mask;
  end loop;
  digest := substr(int8send(h0), 5) || substr(int8send(h1), 5) || substr(int8send(h2), 5) || substr(int8send(h3), 5);
  digest := set_byte(digest, 6, (get_byte(digest, 6) & 15) | 80);
  digest := set_byte(digest, 8, (get_byte(digest, 8) & 63) | 128);
  return encode(digest, 'hex')::uuid;
end
$$;

comment on function uuid_v5(uuid, text) is
  'Name-based UUID, version 5 of RFC 9562: the same namespace and name give the same id in every database.';

create table departments (
  id uuid not null,
  workspace_id uuid not null,
  department_code varchar(50) not null,
  department_name varchar(255) not null,
  description text,
  monthly_budget_usd numeric(10, 2),
  cost_center_code varchar(50),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint departments_pkey primary key (workspace_id, id),
  constraint departments_workspace_id_department_code_key unique (workspace_id, department_code),
  constraint chk_departments_monthly_budget_usd check (monthly_budget_usd >= 0)
);

create index idx_departments_metadata on departments using gin (metadata);

comment on table departments is 'Who pays for the traces: the departments of each workspace.';
comment on column departments.id is
  'uuid_v5(base, ''department:'' || workspace_id || '':'' || department_code), where base = uuid_v5(URL namespace, ''https://obs.dev/observability'').';
comment on column departments.monthly_budget_usd is 'What the department may spend on models in a calendar month, in US dollars.';
comment on column departments.metadata is 'obs_run names the seeding run that made the row; rows made by a migration have none.';

with base (namespace) as (
  select uuid_v5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://obs.dev/observability')
),
codes (department_code, department_name, description, monthly_budget_usd, cost_center_code) as (
  values
    ('engineering', 'Engineering', 'Writes, reviews and documents software', 50000.00, 'CC-1000'),
    ('data', 'Data', 'Analyses, pipelines and reports', 45000.00, 'CC-1100'),
    ('product', 'Product', 'Roadmap, specifications and user feedback', 40000.00, 'CC-1200'),
    ('marketing', 'Marketing', 'Campaigns, content and search', 35000.00, 'CC-2000'),
    ('sales', 'Sales', 'Leads, proposals and accounts', 30000.00, 'CC-2100'),
    ('support', 'Support', 'Tickets and conversations with customers', 25000.00, 'CC-2200'),
    ('operations', 'Operations', 'Workflows, incidents and logistics', 20000.00, 'CC-3000'),
    ('finance', 'Finance', 'Invoices, expenses and forecasts', 15000.00, 'CC-4000'),
    ('legal', 'Legal', 'Contracts, policies and compliance', 12000.00, 'CC-4100'),
    ('hr', 'Human Resources', 'Hiring, onboarding and people', 10000.00, 'CC-4200')
),
found_workspaces as (
  select workspace_id, min(timestamp) as first_seen from traces group by workspace_id
)
insert into departments (
  id, workspace_id, department_code, department_name, description,
  monthly_budget_usd, cost_center_code, created_at, updated_at
)
select uuid_v5(b.namespace, 'department:' || w.workspace_id || ':' || c.department_code), w.workspace_id,
       c.department_code, c.department_name, c.description, c.monthly_budget_usd, c.cost_center_code,
       w.first_seen, w.first_seen
from found_workspaces w
cross join codes c
cross join base b;

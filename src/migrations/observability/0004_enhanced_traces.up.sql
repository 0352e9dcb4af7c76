-- obs: allow ddl-with-backfill the rows of the MVP are carried over in one transaction: all of them or none
-- obs: allow foreign-key-validates the rows of the MVP are carried over in one transaction: all of them or none
-- obs: allow check-validates the rows of the MVP are carried over in one transaction: all of them or none
-- obs: allow set-not-null-scans the rows of the MVP are carried over in one transaction: all of them or none
-- Every value of the backfill follows from the row itself, so that it is the same in every database
-- and comes back the same after down and up. md5 rather than hashtext, whose result PostgreSQL may
-- change from one version to the next.

alter table traces
  add column department_id uuid,
  add column environment_id uuid,
  add column version varchar(50),
  add column intent_category varchar(100),
  add column user_segment varchar(50);

comment on column traces.department_id is 'The department the agent works for.';
comment on column traces.environment_id is 'The environment the agent ran in.';
comment on column traces.version is 'The release of the agent platform that served the request.';
comment on column traces.intent_category is 'What the user wanted, one of eight.';
comment on column traces.user_segment is 'What kind of user asked, one of five; null when nobody knows.';

with derived as (
  select
    t.timestamp,
    t.trace_id,
    t.workspace_id,
    a.agent,
    -- An agent belongs to one department, so agents that match no pattern are spread by their own name.
    case
      when split_part(a.agent, '-', 1) in ('engineering', 'sales', 'support', 'marketing', 'finance',
                                           'hr', 'operations', 'product', 'data', 'legal')
        then split_part(a.agent, '-', 1)
      when a.agent ~ 'legal|contract|complian|policy|gdpr' then 'legal'
      when a.agent ~ 'financ|invoice|expense|billing|budget|account' then 'finance'
      when a.agent ~ '(^|[^a-z])hr([^a-z]|$)|recruit|onboard|talent|people' then 'hr'
      when a.agent ~ 'support|helpdesk|ticket|customer|chat' then 'support'
      when a.agent ~ 'sales|lead|crm|deal|proposal' then 'sales'
      when a.agent ~ 'market|content|seo|campaign|social|copywrit|translat' then 'marketing'
      when a.agent ~ 'product|feature|roadmap|feedback' then 'product'
      when a.agent ~ 'code|develop|engineer|review|deploy|debug|(^|[^a-z])(ci|dev|qa)([^a-z]|$)' then 'engineering'
      when a.agent ~ 'data|analy|(^|[^a-z])(etl|sql|bi)([^a-z]|$)|report|insight' then 'data'
      when a.agent ~ 'operation|(^|[^a-z])ops([^a-z]|$)|incident|monitor|infra|workflow|automat|logistic' then 'operations'
      else (array['engineering', 'sales', 'support', 'marketing', 'finance',
                  'hr', 'operations', 'product', 'data', 'legal'])
           [1 + ('x' || left(md5(t.agent_id || ':department'), 8))::bit(32)::bigint % 10]
    end as department_code,
    case
      when h.environment < 7000 then 'production'
      when h.environment < 9000 then 'staging'
      else 'development'
    end as environment_code,
    -- Three rollouts of sixty days, each overtaking the one before.
    case
      when h.version < (r.seconds - extract(epoch from timestamptz '2026-07-10 00:00:00+00')) / 5184000 * 10000
        then 'v2.1'
      when h.version < (r.seconds - extract(epoch from timestamptz '2026-05-10 00:00:00+00')) / 5184000 * 10000
        then 'v2.0'
      when h.version < (r.seconds - extract(epoch from timestamptz '2026-03-20 00:00:00+00')) / 5184000 * 10000
        then 'v1.9'
      else 'v1.8'
    end as version,
    case
      when a.agent ~ 'translat|locali[sz]' then 'translation'
      when a.agent ~ 'research|insight|search|legal|contract|complian|policy' then 'research'
      when a.agent ~ 'code|develop|engineer|review|debug' then 'code_generation'
      when a.agent ~ 'support|helpdesk|ticket|customer|chat' then 'customer_support'
      when a.agent ~ 'data|analy|report|sql|forecast|metric' then 'data_analysis'
      when a.agent ~ 'content|writ|copy|campaign|social|seo|market|blog' then 'content_creation'
      when a.agent ~ 'automat|workflow|operation|(^|[^a-z])ops([^a-z]|$)|deploy|invoice|schedul|process|onboard'
        then 'automation'
      else 'general_assistance'
    end as intent_category,
    case
      when t.status in ('error', 'timeout') then 'struggling'
      when t.latency_ms < 800 then 'power_user'
      when t.latency_ms < 6000 then 'regular'
      when t.latency_ms < 12000 then 'new'
      else 'dormant'
    end as user_segment
  from traces t
  -- The "C" collation folds ASCII only, whatever the locale of the database.
  cross join lateral (select lower(t.agent_id collate "C") as agent) a
  -- Subtracted as seconds, because an infinite timestamp minus another is an error before PostgreSQL 17.
  cross join lateral (select extract(epoch from t.timestamp) as seconds) r
  cross join lateral (
    select ('x' || left(md5(t.trace_id || ':environment'), 8))::bit(32)::bigint % 10000 as environment,
           ('x' || left(md5(t.trace_id || ':version'), 8))::bit(32)::bigint % 10000 as version
  ) h
)
update traces t
set department_id = d.id,
    environment_id = e.id,
    version = v.version,
    intent_category = v.intent_category,
    user_segment = v.user_segment
from derived v
join departments d on d.workspace_id = v.workspace_id and d.department_code = v.department_code
join environments e on e.workspace_id = v.workspace_id and e.environment_code = v.environment_code
where t.timestamp = v.timestamp and t.trace_id = v.trace_id;

alter table traces
  alter column department_id set not null,
  alter column environment_id set not null,
  alter column version set not null,
  alter column intent_category set not null,
  add constraint chk_traces_version check (version <> ''),
  add constraint chk_traces_intent_category check (
    intent_category in ('code_generation', 'customer_support', 'data_analysis', 'content_creation',
                        'automation', 'research', 'translation', 'general_assistance')
  ),
  add constraint chk_traces_user_segment check (
    user_segment in ('power_user', 'regular', 'new', 'dormant', 'struggling')
  ),
  add constraint fk_traces_department
    foreign key (workspace_id, department_id) references departments (workspace_id, id),
  add constraint fk_traces_environment
    foreign key (workspace_id, environment_id) references environments (workspace_id, id);

-- obs: allow index-blocks-writes traces is partitioned by now, and a partitioned table cannot be indexed concurrently
-- No GIN index on traces.metadata: keeping one costs more than all the others together at the rate
-- traces arrive, and no KPI looks into it. Who needs one adds it on the key in question.
create index idx_traces_department on traces (department_id, timestamp desc);
create index idx_traces_environment on traces (environment_id, timestamp desc);
create index idx_traces_version on traces (version, timestamp desc);
create index idx_traces_intent on traces (intent_category, timestamp desc);
create index idx_traces_user_segment on traces (user_segment, timestamp desc);
create index idx_traces_workspace_dept_time on traces (workspace_id, department_id, timestamp desc);
create index idx_traces_workspace_env_time on traces (workspace_id, environment_id, timestamp desc);
create index idx_traces_dept_env_time on traces (department_id, environment_id, timestamp desc);

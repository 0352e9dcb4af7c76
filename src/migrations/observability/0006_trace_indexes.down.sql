drop index idx_traces_department;
drop index idx_traces_environment;
drop index idx_traces_version;
drop index idx_traces_intent;
drop index idx_traces_user_segment;
drop index idx_traces_workspace_dept_time;
drop index idx_traces_workspace_env_time;
drop index idx_traces_dept_env_time;

select trace_id, timestamp
from traces
where department_id is null or environment_id is null or version is null or intent_category is null
limit 10;

select t.trace_id, t.timestamp
from traces t
left join departments d on d.workspace_id = t.workspace_id and d.id = t.department_id
left join environments e on e.workspace_id = t.workspace_id and e.id = t.environment_id
where d.id is null or e.id is null
limit 10;

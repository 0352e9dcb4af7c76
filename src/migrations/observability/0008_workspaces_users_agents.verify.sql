select t.workspace_id
from (select distinct workspace_id from traces) t
left join workspaces w on w.workspace_id = t.workspace_id
where w.id is null;

select t.workspace_id, t.agent_id
from (select distinct workspace_id, agent_id from traces) t
left join agents a on a.workspace_id = t.workspace_id and a.agent_id = t.agent_id
where a.id is null
limit 10;

select t.workspace_id, t.user_id
from (select distinct workspace_id, user_id from traces where user_id is not null) t
left join users u on u.workspace_id = t.workspace_id and u.user_id = t.user_id
where u.id is null
limit 10;

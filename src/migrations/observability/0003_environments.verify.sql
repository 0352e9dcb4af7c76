select t.workspace_id, count(e.id) as environments
from (select distinct workspace_id from traces) t
left join environments e on e.workspace_id = t.workspace_id
group by t.workspace_id
having count(e.id) <> 3;

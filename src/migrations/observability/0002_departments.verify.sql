-- Known pairs, the first from RFC 9562, appendix A.4; the others cross the 64-byte blocks of SHA-1.
select v.name, v.expected, uuid_v5(v.namespace, v.name) as computed
from (
  values
    ('6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid, 'www.example.com', '2ed6657d-e927-568b-95e1-2665a8aea6a2'::uuid),
    ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'python.org', '886313e1-3b8a-5372-9b90-0c9aee199e5d'),
    ('6f13dae5-b867-5fa9-a038-4f3cf4558d0e', '', '51fac3ab-292b-5147-9c65-af45eb6686f1'),
    ('6f13dae5-b867-5fa9-a038-4f3cf4558d0e', repeat('a', 39), 'be169017-f5bf-536b-a435-8c8e9313a2d4'),
    ('6f13dae5-b867-5fa9-a038-4f3cf4558d0e', repeat('a', 40), '8c700dba-fd62-5639-8a53-2ce4fb440000'),
    ('6f13dae5-b867-5fa9-a038-4f3cf4558d0e', repeat('a', 48), '84ad9430-f151-55c0-995d-b6d8fb61b297'),
    ('6f13dae5-b867-5fa9-a038-4f3cf4558d0e', repeat('a', 112), 'db3d332e-03ba-5f19-9bde-a890562ae34b')
) v (namespace, name, expected)
where uuid_v5(v.namespace, v.name) <> v.expected;

select t.workspace_id, count(d.id) as departments
from (select distinct workspace_id from traces) t
left join departments d on d.workspace_id = t.workspace_id
group by t.workspace_id
having count(d.id) <> 10;

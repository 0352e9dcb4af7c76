create schema "Odd ""Schema"" ü";
create type mood as enum ('sad', 'ok', 'it''s "fine"');
create domain positive as integer constraint positive_check check (value > 0);
create type pair as (a integer, b text);
create type span as range (subtype = float8);

create function next_label(prefix text) returns text language plpgsql volatile as $body$
begin
  -- a line that looks like the end; of a statement;
  return prefix || '-' || chr(10) || 'ü';
end
$body$;

create function sum_pair(p pair) returns integer language sql immutable return (p).a;

create table every_type (
  id integer generated always as identity primary key,
  twice bigint generated always as (id * 2) stored,
  s smallint, i integer, b bigint, n numeric, n2 numeric(20, 5), r real, d double precision, m money,
  t text, v varchar(10), c char(5), n_ame name, by bytea,
  bo boolean, da date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
  u uuid, j json, jb jsonb, jp jsonpath, x xml,
  ip inet, ci cidr, ma macaddr, ma8 macaddr8,
  bi bit(4), vb varbit,
  po point, ln line, ls lseg, bx box, pa path, pg polygon, ce circle,
  tv tsvector, tq tsquery,
  i4 int4range, nr numrange, tr tstzrange, dr daterange, mr int4multirange, sr span,
  mo mood, dom positive, co pair, lsn pg_lsn, rc regclass, o oid,
  ia integer[], ta text[], ma2 integer[][], moa mood[], coa pair[], ja jsonb[],
  constraint "odd check" check (length(v) > 0 and t <> 'it''s; forbidden')
);

insert into every_type (
  s, i, b, n, n2, r, d, m, t, v, c, n_ame, by, bo, da, ti, tz, ts, tstz, iv, u, j, jb, jp, x, ip, ci, ma, ma8,
  bi, vb, po, ln, ls, bx, pa, pg, ce, tv, tq, i4, nr, tr, dr, mr, sr, mo, dom, co, lsn, rc, o, ia, ta, ma2, moa, coa, ja
) values
  (-32768, 2147483647, -9223372036854775808, 'NaN', 123456789012345.12345, 1.1754944e-38, 4.9e-324, '-12345.67',
   E'line\nbreak\ttab\\backslash \\N \\. ü 🐘 \r', 'ab''c"', 'x', 'a name', '\x00ff5c0a', true, 'infinity', '24:00', '12:00+05:30',
   '-infinity', '2026-11-22 10:00:00.123456+02', '1 year -2 mons 3 days -04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"a" :  1, "a": 2}', '{"b": [1, null, "ü"], "n": 1e400}', '$.a[*] ? (@ > 1)', '<a>text &amp; <b/></a>', '::1/64', '10.0.0.0/8',
   '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'1010', B'', '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)',
   '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '<(0,0),1>', 'a:1A fat:2B,4C cat:5D', 'fat & (rat | !cat)', '[1,5)', '(,2.5]',
   '["2026-01-01 00:00+00",infinity)', 'empty', '{[1,3),[5,8)}', '[0.1,0.2)', 'it''s "fine"', 1, '(1,"a ""b"", (c)")',
   '16/B374D848', 'every_type', 4294967295, '{1,NULL,3}', '{"",NULL,"NULL","a,b","\"q\"","\\"}', '[0:1][2:3]={{1,2},{3,4}}',
   '{sad,"it''s \"fine\""}', '{"(1,x)","(,)"}', array['{"a":1}'::jsonb, null]);
insert into every_type (t, v, by, ta, n, d, r, da, tstz) values
  ('', 'a', '', '{}', 'Infinity', '-Infinity', 'NaN', '-infinity', 'infinity'),
  (null, null, null, null, null, null, null, null, null);
insert into every_type (t, d, r) select repeat(md5(g::text), 200), g / 3.0, g / 7.0 from generate_series(1, 300) g;

create table "Odd ""Schema"" ü"."Ta""ble, ünï 🐘" (
  "Select" integer primary key default 7,
  "co""l;umn" text not null default E'it''s \\ ü',
  "tab	in name" varchar(3) collate "C",
  dropped integer
);
insert into "Odd ""Schema"" ü"."Ta""ble, ünï 🐘" values (1, '', null), (2, 'x', 'abc');
alter table "Odd ""Schema"" ü"."Ta""ble, ünï 🐘" drop column dropped;

create table nothing ();
insert into nothing default values;
insert into nothing default values;
create table only_generated (g integer generated always as (42) stored);
insert into only_generated default values;
create table empty (id integer primary key);
create unlogged table scratch (id integer);
insert into scratch values (1);

create table parent (id integer, at timestamptz, primary key (id, at)) partition by range (at);
create table parent_2025 partition of parent for values from ('2025-01-01+00') to ('2026-01-01+00');
create table parent_2026 partition of parent for values from ('2026-01-01+00') to ('2027-01-01+00') partition by hash (id);
create table parent_2026_a partition of parent_2026 for values with (modulus 2, remainder 0);
create table parent_2026_b partition of parent_2026 for values with (modulus 2, remainder 1);
create table parent_rest partition of parent default;
insert into parent select g, '2025-06-01+00'::timestamptz + g * interval '10 days' from generate_series(1, 100) g;
create index idx_parent_at on parent (at desc);

create table animal (name text);
create table bird (wings integer) inherits (animal);
insert into animal values ('cow');
insert into bird values ('crow', 2);

create sequence counter start 5 increment 3 maxvalue 9223372036854775807;
select setval('counter', 9007199254740993);
create sequence untouched;
create sequence almost;
select setval('almost', 12, false);

create view animals as select name, length(name) as letters from animal;
create materialized view filled as select count(*) as n from parent;
create unique index on filled (n);
create materialized view unfilled as select 1 as x with no data;

create table child (
  id bigserial primary key,
  parent_id integer,
  parent_at timestamptz,
  mood mood default 'ok',
  constraint fk_child_parent foreign key (parent_id, parent_at) references parent (id, at) on delete cascade deferrable initially deferred
);
comment on table child is E'a comment; with ''quotes'' and\nline breaks';
comment on column child.mood is 'how it feels';
create index idx_child_expression on child ((mood = 'ok'), id desc nulls last) where parent_id > 3;
create statistics child_stats (dependencies) on parent_id, parent_at from child;

create function touch() returns trigger language plpgsql as $$ begin new.mood := 'sad'; return new; end $$;
create trigger touch_child before insert or update on child for each row execute function touch();
alter table child disable trigger touch_child;
create rule no_delete as on delete to empty do instead nothing;

alter table child enable row level security;
create policy only_small on child for select using (parent_id < 5);
alter table child force row level security;
insert into child (parent_id, parent_at) select id, at from parent where id < 10;

-- What the first part leaves out: every other kind of object that a dump knows.
create schema apart;
comment on schema apart is 'apart from public';
create type apart.address as (street text, zip varchar(10));
create domain apart.zip as text check (value ~ '^\d+$') default '0';
create domain apart.zips as apart.zip[];
create type mood_range as range (subtype = mood);
create collation apart.german (provider = icu, locale = 'de-u-kn-true', deterministic = false);
create table apart.more_types (
  id integer primary key,
  home apart.address, codes apart.zips, words text collate apart.german unique, mm datemultirange, nm nummultirange,
  tm tstzmultirange, b8 int8range, tsr tsrange, xs xml[], bs bytea[], ns numeric[], snap pg_snapshot, ro regrole, rt regtype,
  big text
);
alter table apart.more_types alter column big set storage external;
insert into apart.more_types (id, home, codes, words, mm, nm, tm, b8, tsr, xs, bs, ns, snap, ro, rt) values
  (1, row('a "b", (c)', null), '{1,22}', 'Straße 10', '{[2026-01-01,2026-02-01)}', '{(,1],[3,)}', '{["2026-01-01 00:00+00",)}',
   '[1,9223372036854775807)', '[-infinity,infinity]', array['<a/>'::xml], array['\x00'::bytea, null], '{NaN,Infinity,-Infinity,0.00}',
   '10:20:10,14', 'pg_monitor', 'apart.address'),
  (2, null, '{}', 'Straße 9', '{}', '{}', '{}', 'empty', 'empty', '{}', '{}', '{}', null, null, 'integer[]');
insert into apart.more_types (id, big) select 3, string_agg(md5(g::text), '') from generate_series(1, 20000) g;

create function apart.add_up(integer, integer) returns integer language sql immutable return $1 + $2;
create aggregate apart.total (integer) (sfunc = apart.add_up, stype = integer, initcond = '0');
create procedure apart.nothing_much() language sql as $$ select 1 $$;
comment on procedure apart.nothing_much() is 'does nothing';
create function apart.zip_of(a apart.address) returns text language sql immutable as 'select (a).zip';
create cast (apart.address as text) with function apart.zip_of(apart.address);
create operator apart.### (leftarg = integer, rightarg = integer, function = apart.add_up, commutator = operator(apart.###));
create text search configuration apart.plain (copy = simple);
create text search dictionary apart.short (template = simple, accept = false);

create table apart.keys (
  id integer generated by default as identity (start 100 increment 5), code text, during tsrange,
  unique nulls not distinct (code), exclude using gist (during with &&), primary key (id) include (code)
);
insert into apart.keys (code, during) values ('a', '[2026-01-01,2026-01-02)'), (null, null), ('b', '[2026-01-02,2026-01-03)');
create table apart.circle_a (id integer primary key, b integer);
create table apart.circle_b (id integer primary key, a integer references apart.circle_a);
alter table apart.circle_a add constraint to_b foreign key (b) references apart.circle_b deferrable initially deferred;
-- The key is checked at the end of the transaction that runs this file.
insert into apart.circle_a values (1, 1), (2, null);
insert into apart.circle_b values (1, 1);
set constraints all immediate;
alter table apart.circle_b add constraint late check (a > 0) not valid;
create table apart.self (id integer primary key, parent integer references apart.self);
insert into apart.self values (1, null), (2, 1), (3, 2);
create table apart.typed of apart.address (street with options not null);
insert into apart.typed values ('x', '1');
create table apart.stored (a integer, b integer generated always as (a + 1) stored, c text default apart.zip_of(row('s', '9')));
insert into apart.stored (a) select g from generate_series(1, 50) g;
create table apart.clustered (id integer primary key) with (fillfactor = 70, autovacuum_enabled = false);
alter table apart.clustered cluster on clustered_pkey, replica identity full;
alter table apart.clustered alter column id set statistics 500;
insert into apart.clustered select generate_series(1, 20);
create table apart.listed (region text, n integer) partition by list (region);
create table apart.listed_eu partition of apart.listed for values in ('eu', null);
create table apart.listed_rest (n integer, extra_gone text, region text);
alter table apart.listed_rest drop column extra_gone;
alter table apart.listed attach partition apart.listed_rest default;
insert into apart.listed select (array['eu', 'us', null])[1 + g % 3], g from generate_series(1, 30) g;

create view apart.grouped as select id, code, count(*) from apart.keys group by id;
create view apart.safe with (security_barrier, check_option = local) as select * from apart.self where id > 1;
create materialized view apart.first as select region, count(*) as n from apart.listed group by region;
create materialized view apart.second as select sum(n) as n from apart.first;
create rule write_through as on insert to animals do instead insert into animal values (new.name);
create function apart.note_ddl() returns event_trigger language plpgsql as $$ begin null; end $$;
create event trigger watch_ddl on ddl_command_end when tag in ('CREATE TABLE') execute function apart.note_ddl();
create trigger after_all after insert on apart.self referencing new table as fresh for each statement execute function touch();
alter table apart.self disable trigger after_all;
create constraint trigger checked after insert on apart.self deferrable initially deferred for each row execute function touch();
alter table apart.self disable trigger checked;

create foreign data wrapper paper;
create server library foreign data wrapper paper options (place 'cellar');
create user mapping for public server library options (reader 'somebody');
create foreign table apart.books (title text options (field 'name') not null) server library options (shelf '7');
comment on foreign table apart.books is 'on paper';

create publication everything for all tables with (publish = 'insert');
create publication a_few for table apart.self (id, parent) where (id > 1);
create publication whole_schema for tables in schema apart;
create extension if not exists pg_trgm schema apart;
create index on apart.self using hash (parent);
create index words_alike on animal using gin (name apart.gin_trgm_ops);

create view apart.of_row as select k from apart.keys k;
alter default privileges in schema apart grant select on tables to public;
grant usage on schema apart to pg_monitor;
grant select (id), update (parent) on apart.self to pg_monitor with grant option;
revoke execute on function apart.add_up(integer, integer) from public;
grant usage on type apart.address to pg_monitor;

select lo_from_bytea(4711, decode(string_agg(md5(g::text), ''), 'hex')) from generate_series(1, 20000) g;
select lo_create(4712), lo_from_bytea(4713, '\x00ff');
comment on large object 4711 is 'the ''large'' one';
grant select on large object 4711 to pg_monitor;

-- What PostgreSQL prints in other words once it has read its own print.
create domain apart.colour as varchar(9) check (value in ('red', 'it''s', null));
create table apart.worded (
  kind varchar(20) not null check (kind in ('a, b', 'it''s', '[(x)]')), letter char(2) check (letter in ('a', 'b')),
  note varchar check (note = any (array[kind, 'x', null])), colour apart.colour check (colour in ('red', 'blue')),
  is_short boolean generated always as (kind in ('a, b', 'c')) stored,
  other varchar default case when current_setting('TimeZone')::varchar in ('UTC', 'GMT') then 'a' else 'b' end,
  check (kind like any (array['a%', 'it%', '[%'])), check (note not in (kind, other, 'c')),
  check (case kind when 'a, b' then true else note is distinct from 'q' end)
);
insert into apart.worded (kind, letter, note, colour) values ('it''s', 'a', 'x', 'red');
create index on apart.worded (kind) where kind in ('a, b', 'c') and note <> all (array['d', 'e']::varchar[]);
create view apart.of_kinds as
  select kind, case when kind in ('a, b', 'c') then 'few' else note end as few from apart.worded where kind in ('it''s', 'c');
create policy of_kinds on apart.worded using (kind in ('a, b', 'c')) with check (letter in ('a', 'b') or kind in ('e', 'f'));
create trigger of_kinds before update on apart.worded for each row when (new.kind in ('a, b', 'c')) execute function touch();
create function apart.is_kind(kind varchar, among varchar[] default array['a', 'b']::varchar[]) returns boolean language sql
  return kind in ('a, b', 'c') or kind = any (among);

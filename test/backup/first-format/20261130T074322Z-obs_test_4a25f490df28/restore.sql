-- psql --set ON_ERROR_STOP=1 --single-transaction --file restore.sql <an empty database>
\ir pre-data.sql
set search_path = 'pg_catalog';
set DateStyle = 'ISO, YMD';
set IntervalStyle = 'postgres';
set TimeZone = 'UTC';
set extra_float_digits = '1';
set bytea_output = 'hex';
set xmloption = 'content';
set lc_monetary = 'C';
\copy "app"."nothing" ("id") from program 'gzip -dc data/0001-app.nothing.copy.gz'
\copy "app"."owner" ("id", "name") from program 'gzip -dc data/0002-app.owner.copy.gz'
\copy "app"."pet" ("id", "owner", "kind", "note", "born") from program 'gzip -dc data/0003-app.pet.copy.gz'
select pg_catalog.setval('"app"."owner_id_seq"', 2, true);
select pg_catalog.setval('"app"."ticket"', 8, true);
\ir post-data.sql

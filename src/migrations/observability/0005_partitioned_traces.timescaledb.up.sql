-- A hypertable makes its chunks by itself. The function exists all the same, so that whoever loads
-- data need not ask what the server is.
create function traces_ensure_partitions(from_time timestamptz, to_time timestamptz) returns integer
language sql immutable
as $$ select 0 $$;

comment on function traces_ensure_partitions(timestamptz, timestamptz) is
  'Makes nothing and returns 0: TimescaleDB makes the chunks of traces as rows arrive.';

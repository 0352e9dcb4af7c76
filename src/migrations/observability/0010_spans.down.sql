-- Loses every span.
drop function spans_ensure_partitions(timestamptz, timestamptz);
drop table spans;

-- Loses every span.
drop function spans_ensure_partitions(timestamptz, timestamptz);
drop table if exists spans_default;
drop table spans;

-- Turns traces back into an ordinary table; no row and no value is lost.
comment on table traces_default is null;
select traces_rebuild(is_partitioned => false);
drop function traces_rebuild(boolean);
drop function traces_ensure_partitions(timestamptz, timestamptz);

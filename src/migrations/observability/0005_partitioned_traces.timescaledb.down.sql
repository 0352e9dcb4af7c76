drop function traces_ensure_partitions(timestamptz, timestamptz);

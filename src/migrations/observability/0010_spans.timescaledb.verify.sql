select 'spans is not a hypertable' as problem
where not exists (
  select from timescaledb_information.hypertables
  where hypertable_schema = current_schema() and hypertable_name = 'spans'
);

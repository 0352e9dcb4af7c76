-- obs: irreversible the tables may have been adopted, so they are dropped only while they are empty

do $$
declare
  relation text;
  has_rows boolean;
  kept text[] := '{}';
begin
  foreach relation in array array['traces', 'events', 'performance_metrics'] loop
    continue when to_regclass(format('%I.%I', current_schema(), relation)) is null;
    execute format('lock table %I in access exclusive mode', relation);
    execute format('select exists (select from %I)', relation) into has_rows;
    if has_rows then
      kept := kept || relation;
    end if;
  end loop;

  if kept <> '{}' then
    raise exception 'reverting the baseline would drop tables that hold rows: %', array_to_string(kept, ', ')
      using errcode = 'dependent_objects_still_exist',
            hint = 'Back them up with obs backup create and delete their rows, or stop at the baseline with obs migrate down --to 1.';
  end if;
end
$$;

drop materialized view if exists traces_daily;
drop materialized view if exists traces_hourly;
drop table if exists performance_metrics;
drop table if exists events;
drop table if exists traces;

-- Loses sums only: up counts them anew.
drop trigger traces_log_insert on traces;
drop trigger traces_log_update on traces;
drop trigger traces_log_delete on traces;
drop trigger traces_log_truncate on traces;
drop function traces_log_insert();
drop function traces_log_update();
drop function traces_log_delete();
drop function traces_log_truncate();
drop function traces_refresh_rollups();
drop table traces_rollup_changes;
drop table traces_daily;
drop table traces_hourly;

drop table departments;
drop function uuid_v5(uuid, text);

-- Loses what was entered by hand; up derives the rows from the traces again.
drop table agents;
drop table users;
drop table workspaces;

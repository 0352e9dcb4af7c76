-- Loses every score.
drop table evaluations;

-- Loses the five columns and nothing else; up derives the same values for the same legacy rows.
alter table traces
  drop column department_id,
  drop column environment_id,
  drop column version,
  drop column intent_category,
  drop column user_segment;

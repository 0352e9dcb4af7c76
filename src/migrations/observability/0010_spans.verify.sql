-- Only rows before 1970 or after 9999 have no month of their own.
select trace_id, trace_timestamp
from spans_default
where trace_timestamp >= timestamptz '1970-01-01 00:00:00+00' and trace_timestamp < timestamptz '10000-01-01 00:00:00+00'
limit 10;

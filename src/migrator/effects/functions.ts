/**
 * Functions of PostgreSQL that give the same value within a statement, or at least read and
 * write no table, split by whether a column default made of them is the same for every row.
 *
 * A test compares both lists with pg_proc.
 */
const sameForEveryRow = words(`
  abs age array_agg array_append array_cat array_length array_position array_prepend array_remove array_to_string
  ascii avg bit_length bool_and bool_or btrim cardinality ceil ceiling char_length chr concat concat_ws convert_from
  convert_to cos count current_database current_schema current_schemas current_setting date_bin date_part date_trunc decode degrees
  div encode every exp extract factorial first_value floor format format_type generate_series gcd has_table_privilege initcap
  inet_client_addr inet_server_addr isfinite json_agg json_array_elements json_array_length json_build_array json_build_object
  json_each json_object json_object_agg json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_query
  jsonb_set jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval lag last_value lcm lead left length
  ln log lower lpad ltrim make_date make_interval make_time make_timestamp make_timestamptz max md5 min mod now
  num_nonnulls num_nulls octet_length overlay pg_backend_pid pg_get_serial_sequence pi percentile_cont percentile_disc plainto_tsquery
  position power quote_ident quote_literal quote_nullable rank regexp_match regexp_matches regexp_replace regexp_split_to_array
  regexp_split_to_table repeat replace reverse right round row_number rpad rtrim setweight sha224 sha256
  sha384 sha512 sign sin split_part sqrt starts_with statement_timestamp stddev strpos string_agg string_to_array
  string_to_table strip substr substring sum tan timezone to_char to_date to_hex to_json to_jsonb to_number
  to_regclass to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array trunc txid_current unnest upper
  variance version width_bucket dense_rank ntile upper_inf lower_inf isempty pg_size_pretty obj_description col_description
  pg_typeof hashtext hashtextextended uuid_extract_timestamp
`)

const ownForEveryRow = words(`
  clock_timestamp gen_random_uuid uuidv4 uuidv7 random random_normal nextval setval currval lastval timeofday pg_sleep
  pg_notify set_config pg_advisory_lock pg_advisory_xact_lock pg_try_advisory_lock pg_try_advisory_xact_lock
  pg_advisory_unlock setseed
`)

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

/** Both lists, for the test. */
export const knownFunctions = { sameForEveryRow, ownForEveryRow }

/** Whether calling the function is known to touch no table. */
export function touchesNoTable(names: readonly string[]): boolean {
  const name = builtIn(names)
  return name !== undefined && (sameForEveryRow.has(name) || ownForEveryRow.has(name))
}

/** Whether the function can give another value for each row; true for one that is not known. */
export function isPerhapsVolatile(names: readonly string[]): boolean {
  const name = builtIn(names)
  return name === undefined || !sameForEveryRow.has(name)
}

function builtIn(names: readonly string[]): string | undefined {
  return names.length === 1 || names[0] === 'pg_catalog' ? names.at(-1) : undefined
}

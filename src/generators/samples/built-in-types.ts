import type { Random } from '../random.js'

type Make = (random: Random, modifier: number) => string

const hex = (length: number, random: Random) => Array.from({ length }, () => random.integer(16).toString(16)).join('')
const byte = (random: Random) => random.integer(256)
const coordinate = (random: Random) => `${random.integer(1000)}.${random.integer(10)}`
const point: Make = (random) => `(${coordinate(random)},${coordinate(random)})`
const points = (count: number, random: Random) => Array.from({ length: count }, () => point(random, -1)).join(',')
const bits = (length: number, random: Random) => Array.from({ length }, () => random.integer(2)).join('')
const json: Make = (random) => `{"id": ${random.integer(1000)}, "tags": ["a", "ü"], "deep": {"ok": true, "none": null}}`

/**
 * Everyday values of the types that are neither texts, nor numbers, nor times with a date.
 * https://www.postgresql.org/docs/current/datatype.html
 */
export const builtIn: Readonly<Record<string, Make>> = {
  bool: (random) => String(random.chance(0.5)),
  uuid: (random) => `${hex(8, random)}-${hex(4, random)}-4${hex(3, random)}-8${hex(3, random)}-${hex(12, random)}`,
  bytea: (random) => `\\x${hex(2 * (1 + random.integer(8)), random)}`,
  json,
  jsonb: json,
  jsonpath: (random) => `$.id ? (@ > ${random.integer(100)})`,
  xml: (random) => `<row id="${random.integer(1000)}">ü &amp; more</row>`,
  time: (random) => `${String(random.integer(24)).padStart(2, '0')}:${10 + random.integer(50)}:00`,
  timetz: (random) => `${String(random.integer(24)).padStart(2, '0')}:${10 + random.integer(50)}:00+02`,
  interval: (random) => `${random.integer(12)} mons ${random.integer(30)} days ${random.integer(24)}:00:00`,
  inet: (random) => `10.${byte(random)}.${byte(random)}.${byte(random)}/24`,
  cidr: (random) => `10.${byte(random)}.${byte(random)}.0/24`,
  macaddr: (random) => `08:00:2b:${hex(2, random)}:${hex(2, random)}:${hex(2, random)}`,
  macaddr8: (random) => `08:00:2b:01:02:${hex(2, random)}:${hex(2, random)}:${hex(2, random)}`,
  bit: (random, modifier) => bits(Math.max(1, modifier), random),
  varbit: (random, modifier) => bits(modifier < 1 ? 8 : 1 + random.integer(modifier), random),
  point,
  line: (random) => `{${1 + random.integer(9)},${random.integer(9)},${random.integer(9)}}`,
  lseg: (random) => `[${points(2, random)}]`,
  box: (random) => points(2, random),
  path: (random) => `[${points(3, random)}]`,
  polygon: (random) => `(${points(3, random)})`,
  circle: (random) => `<${point(random, -1)},${1 + random.integer(9)}>`,
  tsvector: (random) => `fat:${1 + random.integer(9)} cat:${1 + random.integer(9)}`,
  tsquery: (random) => (random.chance(0.5) ? 'fat & cat' : 'cat | !fat'),
  oid: (random) => String(random.integer(1_000_000)),
  xid: (random) => String(random.integer(1_000_000)),
  xid8: (random) => String(random.integer(1_000_000)),
  cid: (random) => String(random.integer(1000)),
  tid: (random) => `(${random.integer(1000)},${1 + random.integer(100)})`,
  pg_lsn: (random) => `${hex(2, random)}/${hex(6, random)}`,
  pg_snapshot: () => '10:20:10,14',
  txid_snapshot: () => '10:20:10,14',
  char: (random) => String.fromCharCode(97 + random.integer(26)),
  regclass: () => 'pg_catalog.pg_class',
  regtype: () => 'pg_catalog.int4',
  regproc: () => 'pg_catalog.pg_backend_pid',
  regprocedure: () => 'pg_catalog.now()',
  regoper: () => 'pg_catalog.||/',
  regoperator: () => 'pg_catalog.+(pg_catalog.int4,pg_catalog.int4)',
  regnamespace: () => 'pg_catalog',
  regrole: () => 'pg_monitor',
  regcollation: () => 'pg_catalog."C"',
  regconfig: () => 'pg_catalog.simple',
  regdictionary: () => 'pg_catalog.simple',
  int2vector: (random) => `${random.integer(9)} ${random.integer(9)}`,
  oidvector: (random) => `${random.integer(9)} ${random.integer(9)}`,
  // Of extensions that are often met.
  hstore: (random) => `"key"=>"${hex(4, random)}", "none"=>NULL`,
  ltree: (random) => `top.${hex(4, random)}`,
  vector: (random, modifier) => vector(modifier, random),
  halfvec: (random, modifier) => vector(modifier, random),
  geometry: (random) => `POINT(${random.integer(90)} ${random.integer(90)})`,
  geography: (random) => `POINT(${random.integer(90)} ${random.integer(90)})`,
  semver: (random) => `1.${random.integer(9)}.${random.integer(9)}`,
}

function vector(modifier: number, random: Random): string {
  return `[${Array.from({ length: modifier > 0 ? modifier : 3 }, () => random.integer(10)).join(',')}]`
}

/** The rims of a type, where it has any that are worth seeing. */
export const edges: Readonly<Record<string, (modifier: number) => readonly string[]>> = {
  int2: () => ['-32768', '32767', '0'],
  int4: () => ['-2147483648', '2147483647', '0'],
  int8: () => ['-9223372036854775808', '9223372036854775807', '0'],
  // With digits, numeric takes NaN and no infinity.
  numeric: (modifier) => (modifier < 4 ? ['NaN', 'Infinity', '-Infinity', '1e-30', '0'] : ['NaN', '0']),
  float4: () => ['NaN', 'Infinity', '-Infinity', '1.1754944e-38', '-0'],
  float8: () => ['NaN', 'Infinity', '-Infinity', '4.9e-324', '-0'],
  date: () => ['infinity', '-infinity', '1970-01-01', '2024-02-29', '0044-03-15 BC'],
  timestamp: () => ['infinity', '-infinity', '1970-01-01 00:00:00', '2024-02-29 23:59:59.999999'],
  timestamptz: () => ['infinity', '-infinity', '1970-01-01 00:00:00+00', '2024-02-29 23:59:59.999999+00'],
  time: () => ['00:00:00', '24:00:00', '23:59:59.999999'],
  timetz: () => ['00:00:00+15:59', '24:00:00-12'],
  interval: () => ['0', '-1 year 2 mons -3 days 04:05:06.789', '178000000 years'],
  bytea: () => ['\\x', '\\x00ff5c0a'],
  json: () => ['null', '{"a" :  1, "a": 2}', '[]', '"ü"'],
  jsonb: () => ['null', '{}', '[1, null, "ü", {"n": 1e400}]', '"ü"'],
  inet: () => ['::1', '::ffff:10.0.0.1/128', '0.0.0.0/0'],
  cidr: () => ['::/0', '0.0.0.0/0'],
  varbit: () => [''],
  tsvector: () => ['', "'a b':1A"],
  uuid: () => ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
}

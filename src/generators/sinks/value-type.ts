import { UsageError } from '../../errors.js'

/** The PostgreSQL types that a sink can write, by what their bytes are. */
export const kinds = [
  ...['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'bytea', 'uuid'],
  ...['json', 'jsonb', 'date', 'time', 'timestamp', 'timestamptz'],
] as const
export type Kind =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'bytea'
  | 'uuid'
  | 'json'
  | 'jsonb'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'

/** What a column's type says about its values. */
export interface ValueType {
  readonly kind: Kind
  readonly isArray: boolean
  /** Of a `numeric(precision, scale)`. */
  readonly precision?: number
  readonly scale?: number
}

const aliases: Readonly<Record<string, Kind>> = {
  boolean: 'bool',
  smallint: 'int2',
  integer: 'int4',
  int: 'int4',
  bigint: 'int8',
  real: 'float4',
  'double precision': 'float8',
  decimal: 'numeric',
  varchar: 'text',
  'character varying': 'text',
  char: 'text',
  character: 'text',
  bpchar: 'text',
  name: 'text',
  citext: 'text',
  'time without time zone': 'time',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  ...(Object.fromEntries(kinds.map((kind) => [kind, kind])) as Record<Kind, Kind>),
}

/** Reads a type as PostgreSQL writes it: `numeric(10,6)`, `character varying(64)[]`; undefined when no sink knows it. */
export function readType(name: string): ValueType | undefined {
  const isArray = name.trimEnd().endsWith('[]')
  const [, modifiers = ''] = /\(([^)]*)\)/.exec(name) ?? []
  const base = name
    .replace(/\([^)]*\)/, '')
    .replace(/(\[\])+\s*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
  const kind = Object.hasOwn(aliases, base) ? aliases[base] : undefined
  if (!kind) return undefined
  if (kind !== 'numeric' || modifiers === '') return { kind, isArray }
  const [precision = 0, scale = 0] = modifiers.split(',').map(Number)
  return { kind, isArray, precision, scale }
}

/** A column of a table that is written to a file. */
export interface SinkColumn {
  readonly name: string
  /** The PostgreSQL type. */
  readonly type: string
}

/** @throws UsageError naming the columns whose type no sink can write. */
export function readTypes(table: string, columns: readonly SinkColumn[]): readonly ValueType[] {
  const types = columns.map(({ type }) => readType(type))
  const unknown = columns.filter((_, index) => types[index] === undefined)
  if (unknown.length > 0) {
    const list = unknown.map(({ name, type }) => `${name} ${type}`).join(', ')
    throw new UsageError(`--sink cannot write ${list} of ${table}`, {
      code: 'unknown_type',
      hint: `Load ${table} into a database, or choose --sink null.`,
      details: { table, columns: unknown },
    })
  }
  return types as readonly ValueType[]
}

import type { Node } from './statements.js'
import { listAt, namesAt, nodeAt } from './tree.js'

/** The type of a column in the words of the catalog: `varchar` with the modifiers 20. */
export interface ColumnType {
  /** `typname`: int4, varchar, timestamptz, my_enum. */
  readonly name: string
  /** The numbers in brackets, as they are written. */
  readonly modifiers: readonly number[]
  readonly isArray: boolean
}

/** The type that a TypeName of the parse tree stands for. */
export function columnTypeOf(typeName: Node): ColumnType {
  return {
    name: namesAt(typeName, 'names').at(-1) ?? '',
    modifiers: listAt(typeName, 'typmods').map((constant) => Number(nodeAt(constant, 'ival')['ival'] ?? 0)),
    isArray: listAt(typeName, 'arrayBounds').length > 0,
  }
}

/** `varchar(20)[]`. */
export function columnTypeText({ name, modifiers, isArray }: ColumnType): string {
  return `${name}${modifiers.length > 0 ? `(${modifiers.join(',')})` : ''}${isArray ? '[]' : ''}`
}

/**
 * True when every value of `from` is stored as the same value of `to` would be, so that
 * changing the type of a column leaves its table as it is.
 *
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
 *
 * @param utc whether the time zone of the session is UTC
 */
export function isStoredAlike(from: ColumnType, to: ColumnType, utc: boolean): boolean {
  // The members of an array are converted one by one, even to what is stored alike.
  if (from.isArray || to.isArray) return columnTypeText(from) === columnTypeText(to)
  if (from.name === to.name) return from.name === 'numeric' ? widerNumeric(from, to) : wider(from, to)
  if (utc && isTimestamp(from) && isTimestamp(to)) return wider(from, to)
  return (castsWithoutFunction[from.name] ?? []).includes(to.name) && to.modifiers.length === 0
}

/** Casts that PostgreSQL marks as binary coercible, of types that columns have. https://www.postgresql.org/docs/current/catalog-pg-cast.html */
const castsWithoutFunction: Readonly<Record<string, readonly string[]>> = {
  varchar: ['text'],
  text: ['varchar'],
  xml: ['text', 'varchar'],
  cidr: ['inet'],
  bit: ['varbit'],
  int4: ['oid'],
  oid: ['int4'],
  citext: ['text', 'varchar'],
}

/** A modifier that is not written means no limit, except for these. */
const limitedByDefault = new Set(['bpchar', 'bit'])

function wider(from: ColumnType, to: ColumnType): boolean {
  if (String(from.modifiers) === String(to.modifiers)) return true
  if (limitedByDefault.has(from.name) || from.name === 'interval') return false
  const [before] = from.modifiers
  const [after] = to.modifiers
  return after === undefined || (before !== undefined && after >= before)
}

function widerNumeric(from: ColumnType, to: ColumnType): boolean {
  const [precision, scale = 0] = to.modifiers
  const [before, scaleBefore = 0] = from.modifiers
  if (precision === undefined) return true
  return before !== undefined && precision >= before && scale === scaleBefore
}

function isTimestamp({ name }: ColumnType): boolean {
  return name === 'timestamp' || name === 'timestamptz'
}

/** A type, as deep as a value of it has to be made. */
export type SampleType =
  | { readonly kind: 'base'; readonly name: string; readonly modifier: number }
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | { readonly kind: 'domain'; readonly base: SampleType; readonly notNull: boolean; readonly rules: Rules }
  | { readonly kind: 'composite'; readonly fields: readonly SampleType[] }
  | { readonly kind: 'array'; readonly element: SampleType; readonly elementOid: number; readonly delimiter: string }
  | { readonly kind: 'range'; readonly subtype: SampleType; readonly multi: boolean }

/** A bound of a value, as text. */
export interface Limit {
  readonly value: string
  readonly inclusive: boolean
}

/** What is known about the values that a column may hold; whatever is not known is left to the server to refuse. */
export interface Rules {
  readonly oneOf?: readonly string[]
  readonly noneOf?: readonly string[]
  readonly min?: Limit
  readonly max?: Limit
  /** In characters. */
  readonly minLength?: number
  readonly maxLength?: number
  readonly notNull?: boolean
  /** Another column of the same row that has to hold the same value. */
  readonly sameAs?: string
  /** Another column of the same row that may not hold a greater value. */
  readonly above?: string
}

export interface SampleColumn {
  readonly number: number
  readonly name: string
  readonly type: SampleType
  /** The type as SQL writes it, for example `character varying(10)`. */
  readonly typeName: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  readonly comment: string | undefined
  /** `sequence`: the server counts it, and takes another value as well; `identity`: only when it is told to. */
  readonly source: 'given' | 'sequence' | 'identity'
  readonly rules: Rules
}

export interface ForeignKey {
  readonly name: string
  readonly columns: readonly string[]
  /** `schema.table`, as `SampleTable.path`. */
  readonly parent: string
  readonly parentColumns: readonly string[]
  readonly deferrable: boolean
  /** One that is not there yet: obeyed where the parent has rows, and else passed over. */
  readonly future?: boolean
}

/** What one leaf of a partitioned table demands of the columns of the key; empty for the default and for hashes. */
export type PartitionRules = Readonly<Record<string, Rules>>

/** A condition that every row has to meet. */
export interface Check {
  readonly name: string
  readonly condition: string
  readonly columns: readonly string[]
  /** All that it says is in the rules of the columns. */
  readonly isRead: boolean
}

/** Everything about a table that decides which rows it takes. */
export interface SampleTable {
  readonly path: string
  readonly schema: string
  readonly name: string
  /** Why it cannot be filled at all. */
  readonly obstacle?: string
  readonly columns: readonly SampleColumn[]
  /** Columns that the server computes. */
  readonly generated: readonly string[]
  /** Column lists whose values tell rows apart. */
  readonly uniques: readonly (readonly string[])[]
  /** The columns of unique indexes over expressions, and of those over some of the rows alone. */
  readonly looseUniques: readonly (readonly string[])[]
  readonly checks: readonly Check[]
  /** Names of exclusion constraints. */
  readonly exclusions: readonly string[]
  readonly foreignKeys: readonly ForeignKey[]
  /** One entry a leaf partition; undefined when the table is not partitioned. */
  readonly partitions?: readonly PartitionRules[]
}

export const noRules: Rules = {}

/** Both at once: the tighter of two bounds, the values that are in both lists. */
export function joinRules(a: Rules, b: Rules): Rules {
  const oneOf = a.oneOf && b.oneOf ? a.oneOf.filter((value) => b.oneOf?.includes(value)) : (a.oneOf ?? b.oneOf)
  const noneOf = [...(a.noneOf ?? []), ...(b.noneOf ?? [])]
  const min = tighter(a.min, b.min, 1)
  const max = tighter(a.max, b.max, -1)
  const minLength = Math.max(a.minLength ?? 0, b.minLength ?? 0)
  const maxLength = Math.min(a.maxLength ?? Number.POSITIVE_INFINITY, b.maxLength ?? Number.POSITIVE_INFINITY)
  const sameAs = a.sameAs ?? b.sameAs
  const above = a.above ?? b.above
  return {
    ...(oneOf ? { oneOf } : {}),
    ...(noneOf.length > 0 ? { noneOf } : {}),
    ...(min ? { min } : {}),
    ...(max ? { max } : {}),
    ...(minLength > 0 ? { minLength } : {}),
    ...(Number.isFinite(maxLength) ? { maxLength } : {}),
    ...(a.notNull || b.notNull ? { notNull: true } : {}),
    ...(sameAs === undefined ? {} : { sameAs }),
    ...(above === undefined ? {} : { above }),
  }
}

/** Numbers are compared as numbers, everything else (ISO times) as text. */
function tighter(a: Limit | undefined, b: Limit | undefined, sign: 1 | -1): Limit | undefined {
  if (!a || !b) return a ?? b
  if (a.value === b.value) return a.inclusive ? b : a
  const [x, y] = [Number(a.value), Number(b.value)]
  const greater = Number.isNaN(x) || Number.isNaN(y) ? a.value > b.value : x > y
  return greater === (sign === 1) ? a : b
}

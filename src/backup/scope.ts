/** A table that is to be in a backup. */
export interface TableName {
  readonly schema: string
  readonly name: string
}

/** How much of a database to back up. */
export type Scope =
  | { readonly kind: 'full' }
  | { readonly kind: 'schema' }
  /** Only these tables, with what they need to exist: parents by foreign key, partitions, sequences, types, functions. */
  | { readonly kind: 'tables'; readonly tables: readonly TableName[] }

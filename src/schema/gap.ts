/** What a difference means for whoever works with the database that is examined. */
export type Severity = 'breaking' | 'risky' | 'cosmetic'

/** The gravest first. */
export const severities: readonly Severity[] = ['breaking', 'risky', 'cosmetic']

/**
 * How an object of the examined database differs from the reference: it is not there, only
 * there, defined in another way, or the same under another name.
 */
export type Change = 'missing' | 'extra' | 'different' | 'renamed'

/** The order in which differences are deployed, so that nothing comes before what it needs. */
export const groups = [
  'extensions',
  'schemas',
  'types',
  'tables',
  'foreign keys',
  'functions',
  'views',
  'triggers',
  'indexes',
  'constraints',
  'partitions',
  'policies',
  'comments',
] as const

export type Group = (typeof groups)[number]

/** One difference. */
export interface GapItem {
  readonly group: Group
  /** The object as people call it: `foreign key`, `enum`, `index`. */
  readonly kind: string
  /** Its name, quoted as SQL wants it. */
  readonly object: string
  readonly change: Change
  readonly severity: Severity
  /** What it means. */
  readonly impact: string
  /** The definition in the reference; null when it is not there. */
  readonly reference: string | null
  /** The definition in the examined database; null when it is not there. */
  readonly actual: string | null
  /** Which parts of the definition differ, by name; only for `different`. */
  readonly differs: readonly string[]
  /** What comes and goes with it and is no difference of its own: the columns of a missing table. */
  readonly includes: readonly { readonly kind: string; readonly object: string }[]
}

/** What one schema lacks compared with another. */
export interface Gap {
  readonly items: readonly GapItem[]
  /** Partitions that exist because of the data, on either side; they are no differences. */
  readonly dataPartitions: number
  /** Objects that were compared, by their number in the reference. */
  readonly compared: number
}

import type { Sql } from '../../database/connect.js'

/** The tools whose history obs can take over. */
export const toolNames = ['golang-migrate', 'dbmate', 'goose', 'flyway', 'node-pg-migrate', 'kysely', 'knex'] as const

export type ToolName = (typeof toolNames)[number]

/** A table that may hold the history of a tool. */
export interface ForeignTable {
  readonly schema: string
  readonly name: string
  /** The types of its columns by name, as `pg_type` calls them: `int8`, `varchar`. */
  readonly columns: Readonly<Record<string, string>>
}

/** One migration that another tool has applied. */
export interface ForeignMigration {
  /** As the tool's own table names it. */
  readonly label: string
  /** Undefined when the tool's version is no number that could be the version of a file. */
  readonly version: number | undefined
  /** The title, for tools that keep it. */
  readonly title: string | undefined
  /** When it was applied, for tools that keep it. */
  readonly appliedAt: Date | null
  readonly durationMs: number | null
}

/** What another tool's table says. */
export interface ForeignHistory {
  /** In the tool's own order of versions. */
  readonly applied: readonly ForeignMigration[]
  /** For tools that say "all of them up to here" instead of, or besides, naming each one. */
  readonly upTo?: ForeignMigration
  /** Applied things that are no migration to obs, with the reason; for people. */
  readonly leftOut: readonly string[]
}

/** How to know and read the history of one tool. */
export interface Tool {
  readonly name: ToolName
  /** What its table is called unless somebody configured another name. */
  readonly tables: readonly string[]
  /** Tables of its own that stand beside that one. */
  readonly besides?: readonly string[]
  /** The columns that make it this tool's table, and the types they may have. */
  readonly columns: Readonly<Record<string, readonly string[]>>
  read(sql: Sql, table: ForeignTable): Promise<ForeignHistory>
}

/** Types that a text may be kept in. */
export const textTypes = ['varchar', 'text', 'bpchar']

/** Types that a time may be kept in. */
export const timeTypes = ['timestamp', 'timestamptz']

/** The text as a version that a file may have; undefined when it is none. */
export function asVersion(text: string): number | undefined {
  const version = Number(text)
  return /^\d+$/.test(text) && version > 0 && Number.isSafeInteger(version) ? version : undefined
}

/**
 * Takes a name such as `20240101000000_add_users` or `2024-01-01_add_users` apart.
 *
 * Only leading digits that stand alone are a version; of a date with dashes only the
 * title is kept.
 */
export function splitName(name: string): Pick<ForeignMigration, 'label' | 'version' | 'title'> {
  const [, prefix, title] = /^(\d+(?:[-_.:T]\d+)*Z?)[-_](.+)$/.exec(name) ?? []
  if (prefix === undefined || title === undefined) return { label: name, version: undefined, title: name }
  return { label: name, version: asVersion(prefix), title }
}

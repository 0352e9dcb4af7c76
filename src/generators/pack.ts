import type { CopyBuffer } from './copy-binary.js'
import type { FaultSetting } from './faults/fault.js'

/** A half-open stretch of time in milliseconds since 1970: from <= t < to. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

/** What identifies a run; everything it generates is a function of these. */
export interface RunSettings {
  readonly runId: string
  readonly seed: number
  readonly profile: string
  readonly days: number
  /** The end of the window, exclusive. */
  readonly asOf: Date
  /** Multiplies the volume of the profile. */
  readonly scale: number
  readonly workspace: string
  /** 0 for the first run of a workspace, one more for each that is appended. */
  readonly ordinal: number
  /**
   * The run that made the workspace's users and agents, when it was an earlier one: an
   * appended run goes on with the same people instead of inventing others under their names.
   */
  readonly population?: PopulationSettings
  /** Faults to plant; rows that get none are the same with and without them, so they are no part of `runId`. */
  readonly faults?: readonly FaultSetting[]
}

export interface PopulationSettings {
  readonly seed: number
  readonly profile: string
  readonly days: number
  readonly asOf: Date
}

/** Something that went wrong on purpose in the generated history, so that a demo can tell the story. */
export interface Incident {
  readonly kind: string
  readonly from: string
  readonly to: string
  readonly affected: Readonly<Record<string, string | readonly string[]>>
  readonly summary: string
}

/** A column that is generated, with the name of its type in the words of pg_type: `int4`, `varchar[]`. */
export interface Column {
  readonly name: string
  readonly type: string
}

/** Columns in the order in which they are named. */
export function columns(types: Readonly<Record<string, string>>): readonly Column[] {
  return Object.entries(types).map(([name, type]) => ({ name, type }))
}

/** A table of few rows that facts refer to; rows that exist already are left as they are. */
export interface ReferenceTable {
  readonly table: string
  readonly columns: readonly Column[]
  /** Columns of a unique key; a row whose key exists is not inserted. */
  readonly key: readonly string[]
  /** Values in their written form. */
  readonly rows: readonly (readonly (string | null)[])[]
}

/** A table of many rows in time. */
export interface FactTable {
  readonly table: string
  readonly timeColumn: string
  readonly columns: readonly Column[]
  /** The number of rows when it is known without generating them. */
  readonly rows?: number
  /** Where hours whose rows changed are noted for whoever keeps sums of them, when nothing else notes them. */
  readonly changeLog?: { readonly table: string; readonly column: string }
  /**
   * Writes the rows of a stretch of the window, in order, and yields the number of rows
   * written whenever the buffer is full and once at the end; the caller empties it.
   */
  encode(stretch: Stretch, target: CopyBuffer): Iterable<number>
}

/** Everything of a run that follows from its settings alone. */
export interface SeedPlan {
  readonly window: Stretch
  readonly incidents: readonly Incident[]
  /** Facts worth keeping beside the rows, for example the prices used. */
  readonly notes: Readonly<Record<string, unknown>>
  /** Reference tables in the order in which they refer to each other. */
  references(): Promise<readonly ReferenceTable[]>
  /**
   * The fact tables in loading order. `ids` looks up the id that a reference row has in
   * the database, which is another than the derived one when somebody else made the row.
   */
  facts(ids: ReferenceIds): Promise<readonly FactTable[]>
  /** Reference tables that say what the facts turned out to be, loaded behind them. */
  closing(): Promise<readonly ReferenceTable[]>
}

export type ReferenceIds = (table: string, code: string) => string

/** The generators of one pack. */
export interface SeedPack {
  readonly name: string
  readonly profiles: readonly { readonly name: string; readonly description: string }[]
  /** Columns that must exist, by table; their absence means that migrations are pending. */
  readonly requires: Readonly<Record<string, readonly string[]>>
  /** Reference tables whose ids the facts need, and the column that holds the code. */
  readonly coded: Readonly<Record<string, string>>
  /** Fact tables, the one that all the others follow from first. */
  readonly facts: readonly string[]
  /** The time column of each fact table. */
  readonly timeColumns: Readonly<Record<string, string>>
  /** Reference tables whose rows the first fact table names by value, and the column that does, in both. */
  readonly named: Readonly<Record<string, string>>
  /** A function or procedure of the schema that brings what is derived from the facts up to date. */
  readonly refresh: string
  /** The tables that it fills. */
  readonly derived: readonly string[]
  /** The table of workspaces; the only row of it is the workspace to seed by default. */
  readonly workspaces: string
  /** Used when the database has no workspace, or several. */
  readonly demoWorkspace: string
  plan(settings: RunSettings): SeedPlan
}

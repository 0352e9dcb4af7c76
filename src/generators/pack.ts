import type { Session } from '../database/connect.js'
import type { CopyBuffer } from './copy-binary.js'
import type { FaultCatalogue, FaultSetting } from './faults/fault.js'
import type { Witness } from './faults/plant.js'
import type { FaultNotes } from './faults/record-truth.js'
import type { TableDescription } from './library/plan.js'
import type { RecordedRun } from './run-ledger.js'

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
  /** The workspace that is filled; the first of them when the profile fills several. */
  readonly workspace: string
  /** 0 for the first run of a workspace, one more for each that is appended. */
  readonly ordinal: number
  /**
   * The run that made the workspace's users and agents, when it was an earlier one: an
   * appended run goes on with the same people instead of inventing others under their names.
   */
  readonly population?: PopulationSettings
  /**
   * Set where these are the settings of one of several workspaces that a run fills: its place by
   * traffic, and the id of the run, which marks its rows. `runId` then names this part of it alone.
   */
  readonly tenant?: { readonly rank: number; readonly of: string }
  /** Whether the steps of each trace are made as well; no part of `runId`, since no other row depends on it. */
  readonly spans?: boolean
  /** Faults to plant; rows that get none are the same with and without them, so they are no part of `runId`. */
  readonly faults?: readonly FaultSetting[]
  /** What was written down of them before the first row was loaded. */
  readonly truth?: FaultNotes
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
  /** Where it happened, in a run that fills several workspaces. */
  readonly workspace_id?: string
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

/** A table of many rows. */
export interface FactTable {
  readonly table: string
  /**
   * What a stretch is a part of: the window of the run in milliseconds (the default), or
   * the rows of the table, counted from 0 to `rows`.
   */
  readonly axis?: 'time' | 'rows'
  /** The column that says when a row happened, if there is one. */
  readonly timeColumn?: string
  /** Without a column that the database numbers: the engine writes that one itself. */
  readonly columns: readonly Column[]
  /** The number of rows when it is known without generating them. */
  readonly rows?: number
  /** The number of rows of a stretch when it is known without generating them. */
  countRows?(stretch: Stretch): number
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
   * `witness` is told of every fault that is planted while they are encoded.
   */
  facts(ids: ReferenceIds, witness?: Witness): Promise<readonly FactTable[]>
  /**
   * Reference tables that say what the facts turn out to be, loaded behind them. A function of the
   * plan alone: the facts may have been generated by other threads and earlier processes.
   */
  closing(): Promise<readonly ReferenceTable[]>
}

export type ReferenceIds = (table: string, code: string, workspace: string) => string

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

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
  /** The time column of each fact table that has one. */
  readonly timeColumns: Readonly<Record<string, string>>
  /** Reference tables whose rows the first fact table names by value, and the column that does, in both. */
  readonly named: Readonly<Record<string, string>>
  /** A function or procedure of the schema that brings what is derived from the facts up to date. */
  readonly refresh?: string
  /** Where hours whose rows changed are noted for it, when a partition comes or goes whole. */
  readonly changeLog?: { readonly table: string; readonly column: string }
  /** The tables that it fills. */
  readonly derived: readonly string[]
  /** The faults that can be planted into the facts. */
  readonly faults?: FaultCatalogue
  /**
   * The table of workspaces, the only row of which is the workspace to seed by default, and the
   * workspace when there is none or there are several. Rows of such a pack carry `workspace_id`
   * and the mark of their run, `metadata->>'obs_run'`; the rows of a pack without workspaces
   * are known by the ledger alone.
   */
  readonly workspaces?: {
    readonly table: string
    readonly demo: string
    /** All that a run of these settings fills, `workspace` first; that one alone when this is missing. */
    filledBy?(run: Pick<RunSettings, 'profile' | 'workspace'>): readonly string[]
  }
  /**
   * Looks at the database before anything is generated, outside of a transaction. What it returns
   * is kept with the run and given to `plan`, in other threads too. A run that is resumed asks
   * again: `recorded` is what it was begun with.
   */
  prepare?(session: Session, settings: RunSettings, schema: string, recorded: Json | undefined): Promise<Json>
  /**
   * Takes away what a run of a pack without workspaces left, and says how many rows of which
   * table that were. In the transaction that strikes the run out of the ledger.
   */
  remove?(session: Session, run: RecordedRun, schema: string): Promise<Readonly<Record<string, number>>>
  /**
   * The module that generates rows of this pack when it is run as a worker thread (see
   * `serveRows`), and what it needs to know; without one, rows are generated in the main thread.
   */
  readonly thread?: { readonly file: URL; readonly data?: Json }
  /** Every table and column as it would be filled; of a pack whose plan does not depend on the database. */
  describe?(settings: RunSettings): Promise<readonly TableDescription[]>
  plan(settings: RunSettings, prepared?: Json): SeedPlan
}

/** The workspaces that a run fills, the one that it is named by first. */
export function workspacesOf(pack: SeedPack, run: Pick<RunSettings, 'profile' | 'workspace'>): readonly string[] {
  return pack.workspaces?.filledBy?.(run) ?? [run.workspace]
}

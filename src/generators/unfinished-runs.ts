import type { Session } from '../database/connect.js'
import { obsVersion } from '../package.js'
import type { Json, RunSettings } from './pack.js'
import type { ReferenceIdsByName } from './references.js'
import type { SeedMode } from './request.js'
import { ensureObsSchema } from './run-ledger.js'

/** A run that has begun and whose rows nobody can see yet. */
export interface UnfinishedRun {
  readonly run_id: string
  readonly pack: string
  readonly schema: string
  readonly workspace_id: string
  readonly mode: SeedMode
  readonly settings: RunSettings
  readonly facts: RunFacts
  /** The schema that holds the tables of its shards. */
  readonly staging: string
  readonly started_at: Date
  readonly obs_version: string
}

/** What a run found out when it began and leans on until it ends. */
export interface RunFacts {
  readonly ids: ReferenceIdsByName
  readonly prepared: Json
  /** Columns that the run numbers, by table, and the number of the first row. */
  readonly numbered: Readonly<Record<string, { readonly column: string; readonly first: number }>>
  /** A hash over columns, constraints and indexes, by table. */
  readonly structure: Readonly<Record<string, string>>
}

/** A shard whose rows are in a table of their own, as they were generated. */
export interface LoadedShard {
  readonly table_name: string
  readonly shard: number
  readonly staging_table: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  readonly indexes: readonly IndexPlan[]
}

/** An index that the table of a shard gets before it becomes a partition. */
export interface IndexPlan {
  readonly name: string
  /** Makes the index. */
  readonly statement: string
  /** Makes it the index of a key, if it is one. */
  readonly constraint: string | null
}

/** Runs that have begun, oldest first; a database without a ledger has none. */
export async function readUnfinished(session: Session): Promise<readonly UnfinishedRun[]> {
  if (!(await hasLedger(session))) return []
  const rows = await session<(Omit<UnfinishedRun, 'settings'> & { settings: Stored })[]>`
    select run_id, pack, schema_name as schema, workspace_id, mode, settings, facts, staging, started_at, obs_version
    from obs.seed_unfinished order by started_at, run_id`
  return rows.map((row) => ({ ...row, settings: revived(row.settings) }))
}

/** Records that a run has begun. */
export async function recordBeginning(session: Session, run: Omit<UnfinishedRun, 'started_at' | 'obs_version'>) {
  await ensureTables(session)
  await session`
    insert into obs.seed_unfinished (run_id, pack, schema_name, workspace_id, mode, settings, facts, staging, obs_version)
    values (${run.run_id}, ${run.pack}, ${run.schema}, ${run.workspace_id}, ${run.mode}, ${session.json(json(run.settings))},
            ${session.json(json(run.facts))}, ${run.staging}, ${obsVersion()})`
}

/** Records a shard, in the transaction that loads it. */
export async function recordShard(session: Session, run: string, shard: LoadedShard): Promise<void> {
  await session`
    insert into obs.seed_shards (run_id, table_name, shard, staging_table, rows, bytes, sha256, indexes)
    values (${run}, ${shard.table_name}, ${shard.shard}, ${shard.staging_table}, ${shard.rows}, ${shard.bytes},
            ${shard.sha256}, ${session.json(json(shard.indexes))})`
}

export function readShards(session: Session, run: string): Promise<readonly LoadedShard[]> {
  return session<LoadedShard[]>`
    select table_name, shard, staging_table, rows, bytes, sha256, indexes
    from obs.seed_shards where run_id = ${run} order by table_name, shard`
}

/** Strikes out a run that is finished or taken away, and its shards with it. */
export async function forgetUnfinished(session: Session, run: string): Promise<void> {
  await session`delete from obs.seed_unfinished where run_id = ${run}`
}

interface Stored extends Omit<RunSettings, 'asOf' | 'population'> {
  readonly asOf: string
  readonly population?: {
    readonly seed: number
    readonly profile: string
    readonly days: number
    readonly asOf: string
  }
}

function revived({ asOf, population, ...settings }: Stored): RunSettings {
  const people = population && { ...population, asOf: new Date(population.asOf) }
  return { ...settings, asOf: new Date(asOf), ...(people ? { population: people } : {}) }
}

function json(value: unknown): Parameters<Session['json']>[0] {
  return value as Parameters<Session['json']>[0]
}

async function hasLedger(session: Session): Promise<boolean> {
  const [row] = await session<{ found: boolean }[]>`select to_regclass('obs.seed_unfinished') is not null as found`
  return row?.found === true
}

async function ensureTables(session: Session): Promise<void> {
  if (await hasLedger(session)) return
  await ensureObsSchema(session)
  await session`
    create table obs.seed_unfinished (
      run_id text primary key,
      pack text not null,
      schema_name text not null,
      workspace_id uuid not null,
      mode text not null,
      settings jsonb not null,
      facts jsonb not null,
      staging text not null,
      started_at timestamptz not null default clock_timestamp(),
      obs_version text not null
    )`
  await session`
    create table obs.seed_shards (
      run_id text not null references obs.seed_unfinished on delete cascade,
      table_name text not null,
      shard integer not null,
      staging_table text not null,
      rows bigint not null,
      bytes bigint not null,
      sha256 text not null,
      indexes jsonb not null,
      loaded_at timestamptz not null default clock_timestamp(),
      primary key (run_id, table_name, shard)
    )`
}

import type { Session } from '../database/connect.js'
import { obsVersion } from '../package.js'
import type { Incident, RunSettings, Stretch } from './pack.js'

/** A run that left its rows in the database. */
export interface RecordedRun {
  readonly run_id: string
  readonly profile: string
  readonly seed: number
  readonly as_of: Date
  readonly days: number
  readonly ordinal: number
  readonly workspaces: readonly string[]
  /** Rows of this run by table. */
  readonly rows: Readonly<Record<string, number>>
}

/** What was compared of a table's rows, before anybody saw them. */
export interface TableProof {
  readonly rows: number
  readonly bytes: number
  /** SHA-256 over the hashes of the table's shards, in their order; each is one over generated and landed rows alike. */
  readonly sha256: string
  readonly shards: number
}

/** What is written down about a run. */
export interface RunRecord {
  readonly pack: string
  readonly settings: RunSettings
  readonly workspaces: readonly string[]
  readonly window: Stretch
  readonly rows: Readonly<Record<string, number>>
  readonly incidents: readonly Incident[]
  readonly notes: Readonly<Record<string, unknown>>
  readonly proof: Readonly<Record<string, TableProof>>
  readonly startedAt: Date
}

/** The runs of a pack in some of its workspaces, first to last; a database without a ledger has none. */
export async function readRuns(
  session: Session,
  pack: string,
  workspaces: readonly string[],
): Promise<readonly RecordedRun[]> {
  if (!(await ledgerExists(session))) return []
  return session<RecordedRun[]>`
    select run_id, profile, seed, as_of, days, ordinal, filled.workspaces, rows
    from obs.seed_runs, lateral (
      select case when settings ? 'workspaces' then array(select jsonb_array_elements_text(settings->'workspaces'))
                  else array[workspace_id::text] end as workspaces
    ) filled
    where pack = ${pack} and filled.workspaces && ${[...workspaces]}::text[]
    order by ordinal, run_id`
}

/** Records a run in the transaction that loaded it, so that ledger and rows always agree. */
export async function recordRun(session: Session, { pack, settings, window, ...record }: RunRecord): Promise<void> {
  await ensureLedger(session)
  const { scale, population } = settings
  const several = record.workspaces.length > 1 ? { workspaces: record.workspaces } : {}
  const details = { scale, population: population ?? null, ...several, ...record.notes }
  await session`
    insert into obs.seed_runs (
      run_id, pack, profile, seed, as_of, days, workspace_id, ordinal, window_from, window_to,
      rows, incidents, settings, started_at, finished_at, obs_version, proof
    )
    values (
      ${settings.runId}, ${pack}, ${settings.profile}, ${settings.seed}, ${settings.asOf}, ${settings.days},
      ${settings.workspace}, ${settings.ordinal}, ${new Date(window.from)}, ${new Date(window.to)},
      ${session.json(record.rows)}, ${session.json(json(record.incidents))}, ${session.json(json(details))},
      ${record.startedAt}, clock_timestamp(), ${obsVersion()}, ${session.json(json(record.proof))}
    )`
}

/** Strikes out runs whose rows are gone. */
export async function forgetRuns(session: Session, runs: readonly string[]): Promise<void> {
  if (runs.length > 0) await session`delete from obs.seed_runs where run_id in ${session(runs)}`
}

type Json = Parameters<Session['json']>[0]

function json(value: unknown): Json {
  return value as Json
}

/** Whether anything was ever seeded here. */
export async function ledgerExists(session: Session): Promise<boolean> {
  const [row] = await session<{ found: boolean }[]>`select to_regclass('obs.seed_runs') is not null as found`
  return row?.found === true
}

/** `create schema if not exists` asks for the right to create one even when it exists, so look first. */
export async function ensureObsSchema(session: Session): Promise<void> {
  const [row] = await session<{ found: boolean }[]>`select to_regnamespace('obs') is not null as found`
  if (!row?.found) await session`create schema if not exists obs`
}

/** A ledger that an earlier version made has no proofs; the runs in it keep none. */
async function ensureLedger(session: Session): Promise<void> {
  if (await ledgerExists(session)) {
    const [row] = await session<{ found: boolean }[]>`
      select exists (select from pg_attribute
                     where attrelid = 'obs.seed_runs'::regclass and attname = 'proof' and not attisdropped) as found`
    if (!row?.found) await session`alter table obs.seed_runs add column proof jsonb`
    return
  }
  await ensureObsSchema(session)
  await session`
    create table if not exists obs.seed_runs (
      run_id text primary key,
      pack text not null,
      profile text not null,
      seed bigint not null,
      as_of timestamptz not null,
      days integer not null,
      workspace_id uuid not null,
      ordinal integer not null,
      window_from timestamptz not null,
      window_to timestamptz not null,
      rows jsonb not null,
      incidents jsonb not null,
      settings jsonb not null,
      started_at timestamptz not null,
      finished_at timestamptz not null,
      obs_version text not null,
      proof jsonb
    )`
}

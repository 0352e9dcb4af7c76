import { createHash } from 'node:crypto'
import type { RunContext } from '../context.js'
import { type Session, withTransaction } from '../database/connect.js'
import { quoteIdentifier } from '../database/quote.js'
import { obsVersion } from '../package.js'
import {
  AlreadySeededError,
  NothingToResumeError,
  OtherOptionsError,
  OtherVersionError,
  OtherWorkspacesError,
  UnfinishedRunError,
} from './errors.js'
import { withTruth } from './faults/record-truth.js'
import { type Numbering, reserveNumbers } from './numbering.js'
import {
  type FactTable,
  type ReferenceTable,
  type RunSettings,
  type SeedPack,
  type SeedPlan,
  workspacesOf,
} from './pack.js'
import { type Partitioning, readPartitioning } from './partitions.js'
import { checkSchema } from './readiness.js'
import { idsFrom, readIds } from './references.js'
import type { SeedMode, SeedRequest } from './request.js'
import { countRows } from './row-source.js'
import { type RecordedRun, readRuns } from './run-ledger.js'
import { cutIntoShards, type Shard } from './shards.js'
import { dropStaging, stagingSchema } from './staging.js'
import { checkStructure, readStructure } from './structure.js'
import {
  forgetUnfinished,
  type LoadedShard,
  type RunFacts,
  readShards,
  readUnfinished,
  recordBeginning,
  type UnfinishedRun,
} from './unfinished-runs.js'

/** A run that the ledger knows as begun, with everything that follows from that. */
export interface OpenRun {
  readonly id: string
  readonly pack: SeedPack
  readonly schema: string
  readonly mode: SeedMode
  readonly settings: RunSettings
  readonly facts: RunFacts
  readonly staging: string
  readonly startedAt: Date
  readonly plan: SeedPlan
  readonly references: readonly ReferenceTable[]
  readonly tables: readonly FactTable[]
  readonly shards: readonly Shard[]
  readonly loaded: readonly LoadedShard[]
  readonly isResumed: boolean
}

/** The workspace of packs that know of none. */
const noWorkspace = '00000000-0000-0000-0000-000000000000'

/**
 * Begins a run: looks at everything that could refuse it, reserves what it needs and records
 * it. Nothing that others see has changed.
 */
export async function beginRun(session: Session, request: SeedRequest, context: RunContext): Promise<OpenRun> {
  const { generators: pack, schema, mode } = request
  await prepareSession(session, schema, request.lockTimeout)
  await checkSchema(session, pack, schema)
  const workspace = await workspaceOf(session, request)
  const workspaces = workspacesOf(pack, { profile: request.profile, workspace })
  await settleUnfinished(session, pack, schema, workspaces, mode)
  const runs = await readRuns(session, pack.name, workspaces)
  const isSeeded = await hasSyntheticRows(session, pack, schema, workspaces, runs)
  if (isSeeded && mode === 'first')
    throw new AlreadySeededError(
      pack.name,
      pack.workspaces && workspace,
      runs.map(({ run_id }) => run_id),
    )
  checkWorkspaces(runs, workspaces, isSeeded && mode === 'append')
  const chosen = settingsOf(request, workspace, isSeeded && mode === 'append' ? runs : undefined)

  const prepared = (await pack.prepare?.(session, chosen, schema, undefined)) ?? null
  const plan = pack.plan(chosen, prepared)
  const references = await plan.references()
  const ids = await readIds(session, schema, workspaces, pack.coded, references)
  const tables = await plan.facts(idsFrom(ids))
  const settings = await withTruth(request, chosen, plan, idsFrom(ids), context)
  const known = [...Object.keys(pack.requires), ...tables.map(({ table }) => table)]
  const structure = await readStructure(session, schema, [...new Set(known)])
  const shards = await shardsOf(session, schema, tables, plan)
  // Last of all: numbers stay taken when the run does not come to be recorded.
  const numbered = await numberTables(session, schema, tables, plan)
  const run = {
    ...{ run_id: settings.runId, pack: pack.name, schema, workspace_id: workspace, mode, settings },
    ...{ facts: { ids, prepared, numbered, structure }, staging: stagingSchema(settings.runId) },
  }
  await withTransaction(session, async () => {
    await recordBeginning(session, run)
    await session.unsafe(`create schema ${quoteIdentifier(run.staging)}`)
  })
  return opened({ ...run, started_at: new Date(), obs_version: obsVersion() }, pack, {
    plan,
    references,
    tables,
    shards,
  })
}

/**
 * Opens the unfinished run of the workspace again.
 *
 * @throws NothingToResumeError, OtherOptionsError, OtherVersionError or TableAlteredError when it
 * cannot be gone on with; nothing is changed then.
 */
export async function resumeRun(
  session: Session,
  request: SeedRequest,
  given: ReadonlySet<keyof SeedRequest>,
): Promise<OpenRun> {
  const { generators: pack, schema } = request
  await prepareSession(session, schema, request.lockTimeout)
  const candidates = (await readUnfinished(session)).filter(
    (run) =>
      run.pack === pack.name &&
      run.schema === schema &&
      (request.workspace === undefined || run.workspace_id === request.workspace),
  )
  const [run, ...others] = candidates
  if (!run) throw new NothingToResumeError()
  if (others.length > 0)
    throw new UnfinishedRunError(
      run.run_id,
      candidates.map(({ run_id }) => run_id),
    )
  const differing = differences(run, request, given)
  if (differing.length > 0) throw new OtherOptionsError(run.run_id, differing)
  if (run.obs_version !== obsVersion()) throw new OtherVersionError(run.run_id, run.obs_version, obsVersion())
  await checkStructure(session, schema, run.run_id, run.facts.structure)
  const prepared = (await pack.prepare?.(session, run.settings, schema, run.facts.prepared)) ?? null
  const plan = pack.plan(run.settings, prepared)
  const references = await plan.references()
  const tables = await plan.facts(idsFrom(run.facts.ids))
  const shards = await shardsOf(session, schema, tables, plan)
  const loaded = await readShards(session, run.run_id)
  return { ...opened(run, pack, { plan, references, tables, shards }), loaded, isResumed: true }
}

/** Takes an unfinished run away: the tables of its shards, which nobody else has seen, and its record. */
export async function abandonRun(session: Session, run: Pick<UnfinishedRun, 'run_id' | 'staging'>): Promise<void> {
  await withTransaction(session, async () => {
    await dropStaging(session, run.staging, await readShards(session, run.run_id))
    await forgetUnfinished(session, run.run_id)
  })
}

export async function prepareSession(session: Session, schema: string, lockTimeout: number): Promise<void> {
  await session.unsafe(`
    set lock_timeout to ${lockTimeout};
    set statement_timeout to 0;
    set idle_in_transaction_session_timeout to 0;
    set maintenance_work_mem to '256MB';
    set search_path to ${quoteIdentifier(schema)}, pg_temp`)
}

function opened(
  run: UnfinishedRun,
  pack: SeedPack,
  made: Pick<OpenRun, 'plan' | 'references' | 'tables' | 'shards'>,
): OpenRun {
  const { run_id: id, schema, mode, settings, facts, staging, started_at: startedAt } = run
  return { id, pack, schema, mode, settings, facts, staging, startedAt, ...made, loaded: [], isResumed: false }
}

/** Staging of an interrupted run is in the way of another one, unless that replaces everything anyhow. */
async function settleUnfinished(
  session: Session,
  pack: SeedPack,
  schema: string,
  workspaces: readonly string[],
  mode: SeedMode,
): Promise<void> {
  const runs = (await readUnfinished(session)).filter(
    (run) =>
      run.pack === pack.name &&
      run.schema === schema &&
      workspacesOf(pack, run.settings).some((filled) => workspaces.includes(filled)),
  )
  const [first] = runs
  if (!first) return
  if (mode !== 'replace')
    throw new UnfinishedRunError(
      first.run_id,
      runs.map(({ run_id }) => run_id),
    )
  for (const run of runs) await abandonRun(session, run)
}

/**
 * Runs are added to, forgotten and replaced as a whole, so one that also fills workspaces that this
 * one does not is in its way; people are shared only by runs of the same workspaces.
 */
function checkWorkspaces(runs: readonly RecordedRun[], workspaces: readonly string[], isAppended: boolean): void {
  for (const { run_id, workspaces: filled } of runs) {
    const isWithin = filled.every((one) => workspaces.includes(one))
    if (!isWithin || (isAppended && filled.length !== workspaces.length))
      throw new OtherWorkspacesError(run_id, filled, workspaces)
  }
}

async function workspaceOf(session: Session, { workspace, generators, schema }: SeedRequest): Promise<string> {
  const { workspaces } = generators
  if (!workspaces) return noWorkspace
  if (workspace !== undefined) return workspace
  const rows = await session<{ id: string }[]>`select id from ${session(schema)}.${session(workspaces.table)} limit 2`
  return rows.length === 1 && rows[0] ? rows[0].id : workspaces.demo
}

/** Whether there are rows with the mark of a run; of a pack without marks, whether the ledger has a run. */
export async function hasSyntheticRows(
  session: Session,
  { facts, workspaces }: SeedPack,
  schema: string,
  filled: readonly string[],
  runs: readonly RecordedRun[],
): Promise<boolean> {
  if (!workspaces) return runs.length > 0
  for (const table of facts) {
    const [row] = await session<{ found: boolean }[]>`
      select exists (
        select from ${session(schema)}.${session(table)}
        where workspace_id = any(${[...filled]}::uuid[]) and metadata ? 'obs_run'
      ) as found`
    if (row?.found) return true
  }
  return false
}

/** The settings of the run; `earlier` are the runs that it is appended to. */
export function settingsOf(
  { seed, profile, days, asOf, scale, spans, faults }: SeedRequest,
  workspace: string,
  earlier: readonly RecordedRun[] | undefined,
): RunSettings {
  const ordinal = earlier ? Math.max(0, ...earlier.map((run) => run.ordinal)) + 1 : 0
  const first = earlier?.[0]
  const identity = { seed, profile, as_of: asOf.toISOString(), days, workspace, ordinal, scale }
  const runId = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)
  return {
    ...{ runId, seed, profile, days, asOf, scale, workspace, ordinal },
    ...(spans ? { spans } : {}),
    ...(faults ? { faults: faults.settings } : {}),
    ...(first ? { population: { seed: first.seed, profile: first.profile, days: first.days, asOf: first.as_of } } : {}),
  }
}

async function numberTables(
  session: Session,
  schema: string,
  tables: readonly FactTable[],
  { window }: SeedPlan,
): Promise<Record<string, Numbering>> {
  const numbered: Record<string, Numbering> = {}
  for (const fact of tables) {
    const whole = fact.axis === 'rows' ? { from: 0, to: fact.rows ?? 0 } : window
    const numbering = await reserveNumbers(session, schema, fact, () => fact.rows ?? countRows(fact, whole))
    if (numbering) numbered[fact.table] = numbering
  }
  return numbered
}

async function shardsOf(
  session: Session,
  schema: string,
  tables: readonly FactTable[],
  plan: SeedPlan,
): Promise<readonly Shard[]> {
  const partitionings = new Map<FactTable, Partitioning | undefined>()
  for (const fact of tables) {
    const { table, timeColumn } = fact
    partitionings.set(fact, timeColumn ? await readPartitioning(session, schema, table, timeColumn) : undefined)
  }
  return cutIntoShards(tables, plan.window, (fact) => partitionings.get(fact))
}

/** Options that were given and say something else than the run was begun with. */
function differences(run: UnfinishedRun, request: SeedRequest, given: ReadonlySet<keyof SeedRequest>): string[] {
  const { settings, mode } = run
  const pairs: readonly (readonly [keyof SeedRequest, string, string, string])[] = [
    ['days', '--days', String(settings.days), String(request.days)],
    ['asOf', '--as-of', settings.asOf.toISOString(), request.asOf.toISOString()],
    ['seed', '--seed', String(settings.seed), String(request.seed)],
    ['profile', '--profile', settings.profile, request.profile],
    ['scale', '--scale', String(settings.scale), String(request.scale)],
    ['mode', '--append or --replace', mode, request.mode],
  ]
  return pairs
    .filter(([option, , before, now]) => given.has(option) && before !== now)
    .map(([, flag, before, now]) => `${flag} was ${before} and is ${now} now`)
}

import { createHash } from 'node:crypto'
import type { RunContext } from '../context.js'
import { type Session, throwIfAborted } from '../database/connect.js'
import { quoteIdentifier } from '../database/quote.js'
import { AlreadySeededError, RowsMissingError } from './errors.js'
import { attachPartitions, type LoadedFacts, type LoadPlace, loadFacts } from './load.js'
import type { FactTable, ReferenceTable, RunSettings, SeedPack, SeedPlan } from './pack.js'
import { checkSchema } from './readiness.js'
import { insertReferences, readIds } from './references.js'
import { clearPartitions, type Removal, type Replacement, removeRuns } from './replace.js'
import type { SeedRequest } from './request.js'
import { forgetRuns, type RecordedRun, readRuns, recordRun } from './run-ledger.js'

/** A run whose rows are in the open transaction. */
export interface Run {
  readonly settings: RunSettings
  readonly plan: SeedPlan
  readonly tables: Readonly<Record<string, TableCount>>
  readonly replaced: Readonly<Record<string, number>>
}

export interface TableCount {
  readonly rows: number
  readonly inserted: number
}

/** Loads a run in the open transaction; whoever opened it commits or rolls back all of it. */
export async function loadRun(session: Session, request: SeedRequest, context: RunContext): Promise<Run> {
  const { generators, schema, mode } = request
  await prepareTransaction(session, request)
  await checkSchema(session, generators, schema)
  const workspace = request.workspace ?? (await chooseWorkspace(session, generators, schema))
  const runs = await readRuns(session, generators.name, workspace)
  const isSeeded = await hasSyntheticRows(session, generators, schema, workspace)
  if (isSeeded && mode === 'first') throw new AlreadySeededError(workspace, idsOf(runs))

  const earlier = isSeeded && mode === 'append' ? runs : undefined
  const settings = settingsOf(request, workspace, earlier)
  const plan = generators.plan(settings)
  const replacement = { pack: generators, workspace, runs: earlier ? [] : runs }
  const place = { session, schema, window: plan.window, replaceable: new Set<string>() }
  const removal = isSeeded && !earlier ? await removeOld(place, replacement, context) : nothingRemoved
  await forgetRuns(session, idsOf(replacement.runs))
  const loader = { place: { ...place, replaceable: namesOf(removal) }, plan, settings, replacement, removal }
  const tables = await loadPlan(loader, context)
  await recordRun(session, {
    pack: generators.name,
    settings,
    window: plan.window,
    rows: Object.fromEntries(Object.entries(tables).map(([table, { inserted }]) => [table, inserted])),
    incidents: plan.incidents,
    notes: plan.notes,
  })
  return { settings, plan, tables, replaced: removal.removed }
}

const nothingRemoved: Removal = { removed: {}, whole: [] }

async function prepareTransaction(session: Session, { schema, lockTimeout }: SeedRequest): Promise<void> {
  await session.unsafe(`
    set local lock_timeout to ${lockTimeout};
    set local statement_timeout to 0;
    set local idle_in_transaction_session_timeout to 0;
    set local maintenance_work_mem to '256MB';
    set local search_path to ${quoteIdentifier(schema)}, pg_temp`)
}

async function chooseWorkspace(session: Session, pack: SeedPack, schema: string): Promise<string> {
  const rows = await session<{ id: string }[]>`select id from ${session(schema)}.${session(pack.workspaces)} limit 2`
  return rows.length === 1 && rows[0] ? rows[0].id : pack.demoWorkspace
}

async function hasSyntheticRows(
  session: Session,
  { facts }: SeedPack,
  schema: string,
  workspace: string,
): Promise<boolean> {
  for (const table of facts) {
    const [row] = await session<{ found: boolean }[]>`
      select exists (
        select from ${session(schema)}.${session(table)} where workspace_id = ${workspace} and metadata ? 'obs_run'
      ) as found`
    if (row?.found) return true
  }
  return false
}

/** The settings of the run; `earlier` are the runs that it is appended to. */
function settingsOf(
  { seed, profile, days, asOf, scale }: SeedRequest,
  workspace: string,
  earlier: readonly RecordedRun[] | undefined,
): RunSettings {
  const ordinal = earlier ? Math.max(0, ...earlier.map((run) => run.ordinal)) + 1 : 0
  const first = earlier?.[0]
  const identity = { seed, profile, as_of: asOf.toISOString(), days, workspace, ordinal, scale }
  const runId = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)
  return {
    ...{ runId, seed, profile, days, asOf, scale, workspace, ordinal },
    ...(first ? { population: { seed: first.seed, profile: first.profile, days: first.days, asOf: first.as_of } } : {}),
  }
}

async function removeOld(place: LoadPlace, replacement: Replacement, context: RunContext): Promise<Removal> {
  context.progress.step('removing the rows of earlier runs')
  return removeRuns(place, replacement, context)
}

interface Loader {
  readonly place: LoadPlace
  readonly plan: SeedPlan
  readonly settings: RunSettings
  readonly replacement: Replacement
  readonly removal: Removal
}

async function loadPlan(loader: Loader, context: RunContext): Promise<Record<string, TableCount>> {
  const { place, plan, settings, replacement } = loader
  const { session, schema } = place
  const references = await addReferences(loader, await plan.references())
  const ids = await readIds(session, schema, settings.workspace, replacement.pack.coded)
  const facts = await plan.facts(ids)
  const loaded: LoadedFacts[] = []
  for (const fact of facts) {
    context.progress.step(`generating and loading ${fact.table}`)
    loaded.push(await loadFacts(place, fact, context))
  }
  const closing = await addReferences(loader, await plan.closing())
  throwIfAborted(context.signal)
  context.progress.step('attaching partitions and counting rows')
  await attachAll(loader, facts, loaded)
  const counts = await countLanded(loader, loaded)
  return { ...counts, ...closing, ...references }
}

async function addReferences(
  { place, replacement }: Loader,
  references: readonly ReferenceTable[],
): Promise<Record<string, TableCount>> {
  const counts: Record<string, TableCount> = {}
  for (const reference of references) {
    const inserted = await insertReferences(place.session, place.schema, reference, idsOf(replacement.runs))
    counts[reference.table] = { rows: reference.rows.length, inserted }
  }
  return counts
}

async function attachAll(loader: Loader, facts: readonly FactTable[], loaded: readonly LoadedFacts[]): Promise<void> {
  const { place, removal, replacement } = loader
  const detached = loaded.flatMap((table) => table.detached)
  const replaced = new Set(detached.filter(({ piece }) => piece.replaces).map(({ piece }) => piece.partition))
  const [first] = facts
  if (first) await clearPartitions(place, removal, replacement, first, replaced)
  await attachPartitions(place, detached)
}

/** Compares what was generated, what the server took and what is there, and counts it by table. */
async function countLanded(
  { place, settings }: Loader,
  loaded: readonly LoadedFacts[],
): Promise<Record<string, TableCount>> {
  const counts: Record<string, TableCount> = {}
  for (const { table, generated, copied } of loaded) {
    const [row] = await place.session<{ landed: number }[]>`
      select count(*) as landed from ${place.session(place.schema)}.${place.session(table)}
      where workspace_id = ${settings.workspace} and metadata->>'obs_run' = ${settings.runId}`
    const landed = row?.landed ?? 0
    if (landed !== generated || copied !== generated) throw new RowsMissingError(table, generated, landed)
    counts[table] = { rows: generated, inserted: generated }
  }
  return counts
}

function idsOf(runs: readonly RecordedRun[]): readonly string[] {
  return runs.map(({ run_id }) => run_id)
}

function namesOf({ whole }: Removal): ReadonlySet<string> {
  return new Set(whole.map(({ name }) => name))
}

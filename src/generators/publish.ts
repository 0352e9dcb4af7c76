import { createHash } from 'node:crypto'
import type { RunContext } from '../context.js'
import { type Session, withTransaction } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { logHours } from './change-log.js'
import { RowsMissingError } from './errors.js'
import { hasSyntheticRows, type OpenRun } from './open-run.js'
import { type FactTable, type ReferenceTable, workspacesOf } from './pack.js'
import { monthsInDefault, type Placement, placeMonth, readPartitioning } from './partitions.js'
import { insertReferences, readIds } from './references.js'
import { clearPartitions, type Removal, type Replacement, removeRuns } from './replace.js'
import { forgetRuns, readRuns, recordRun, type TableProof } from './run-ledger.js'
import type { Shard } from './shards.js'
import { addForeignKeys, dropStaging, rangeCheck, timeLiteral, writtenColumns } from './staging.js'
import { checkStructure, TableAlteredError } from './structure.js'
import { forgetUnfinished, type LoadedShard } from './unfinished-runs.js'

/** What a run put into the database. */
export interface Published {
  readonly tables: Readonly<Record<string, TableCount>>
  readonly replaced: Readonly<Record<string, number>>
  readonly proof: Readonly<Record<string, TableProof>>
}

export interface TableCount {
  readonly rows: number
  readonly inserted: number
}

/** A shard that is loaded, and the way it goes from here. */
interface Placed {
  readonly shard: Shard
  readonly loaded: LoadedShard
  readonly placement: Placement
}

/**
 * Makes a run visible, all of it in one transaction.
 *
 * Reference rows first, then what has to be inserted into tables that hold rows, then what
 * becomes a partition as it is: attaching is the only step that others can feel, since writers
 * wait for it, and it locks the default partition and the tables that foreign keys point at.
 * PostgreSQL takes over the indexes, the foreign keys and the proof of the range that each
 * partition brings instead of making or checking them again.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION
 */
export async function publishRun(
  session: Session,
  run: OpenRun,
  loaded: readonly LoadedShard[],
  context: RunContext,
): Promise<Published> {
  const { pack, settings, plan } = run
  return withTransaction(session, async () => {
    await holdStill(session, run)
    const workspaces = workspacesOf(pack, settings)
    const runs = await readRuns(session, pack.name, workspaces)
    // Runs whose rows are gone, as after a migration down and up, are forgotten when another begins anew.
    const replacement: Replacement = { pack, workspaces, runs: settings.ordinal > 0 ? [] : runs }
    const removal = await removeOld(session, run, replacement, context)
    await forgetRuns(
      session,
      replacement.runs.map(({ run_id }) => run_id),
    )

    const references = await addReferences(session, run, run.references, replacement)
    await checkIds(session, run)
    context.progress.step('attaching partitions and counting rows')
    const replaceable = new Set(removal.whole.map(({ name }) => name))
    const placed = await placeShards(session, run, run.shards, loaded, replaceable)
    const isReady = ({ placement }: Placed) => placement.way === 'merge'
    await mergeAll(session, run, placed.filter(isReady))
    const closing = await addReferences(session, run, await plan.closing(), replacement)
    const waiting = placed.filter((each) => !isReady(each)).map(({ shard }) => shard)
    await keepWritersOut(session, run, waiting)
    // Somebody may have written into one of these months since they were looked at.
    const settled = await placeShards(session, run, waiting, loaded, replaceable)
    const isAttached = ({ placement }: Placed) => placement.way === 'attach'
    await mergeAll(
      session,
      run,
      settled.filter((each) => !isAttached(each)),
    )
    const attached = settled.filter(isAttached)
    await clear(session, run, removal, replacement, attached)
    for (const each of attached) await attach(session, run, each)

    const facts = countsOf(run.tables, loaded)
    const tables = { ...facts, ...closing, ...references }
    const proof = proofOf(run.tables, loaded)
    await recordRun(session, {
      ...{ settings, workspaces, window: plan.window, incidents: plan.incidents, notes: notesOf(run), proof },
      ...{ pack: pack.name, startedAt: run.startedAt },
      rows: Object.fromEntries(Object.entries(tables).map(([table, { inserted }]) => [table, inserted])),
    })
    await dropStaging(session, run.staging, loaded)
    await forgetUnfinished(session, run.id)
    return { tables, replaced: removal.removed, proof }
  })
}

/** Nobody alters the tables from here to the commit, and nobody has since the run began; writers are not kept out. */
async function holdStill(session: Session, { id, schema, tables, facts }: OpenRun): Promise<void> {
  for (const { table } of tables) {
    await session.unsafe(`lock table only ${quoteQualified(schema, table)} in row exclusive mode`)
  }
  await checkStructure(session, schema, id, facts.structure)
}

/**
 * Until the commit whoever writes into a table that gets partitions waits before the server decides
 * on one: a row that was on its way to the default partition when it was decided would be refused.
 */
async function keepWritersOut(session: Session, { schema }: OpenRun, shards: readonly Shard[]): Promise<void> {
  for (const table of new Set(shards.map(({ fact }) => fact.table))) {
    await session.unsafe(`lock table only ${quoteQualified(schema, table)} in share mode`)
  }
}

const nothingRemoved: Removal = { removed: {}, whole: [] }

async function removeOld(
  session: Session,
  { mode, pack, schema }: OpenRun,
  replacement: Replacement,
  context: RunContext,
): Promise<Removal> {
  const isSeeded = await hasSyntheticRows(session, pack, schema, replacement.workspaces, replacement.runs)
  if (mode !== 'replace' || !isSeeded) return nothingRemoved
  context.progress.step('removing the rows of earlier runs')
  return removeRuns({ session, schema }, replacement, context)
}

async function addReferences(
  session: Session,
  { schema }: OpenRun,
  references: readonly ReferenceTable[],
  { runs }: Replacement,
): Promise<Record<string, TableCount>> {
  const counts: Record<string, TableCount> = {}
  for (const reference of references) {
    const replaced = runs.map(({ run_id }) => run_id)
    const inserted = await insertReferences(session, schema, reference, replaced)
    counts[reference.table] = { rows: reference.rows.length, inserted }
  }
  return counts
}

/** Rows were generated with the ids that reference rows had when the run began, or were to get. */
async function checkIds(session: Session, { id, schema, settings, pack, facts }: OpenRun): Promise<void> {
  const now = await readIds(session, schema, workspacesOf(pack, settings), pack.coded, [])
  const changed = Object.entries(facts.ids).flatMap(([workspace, byTable]) =>
    Object.entries(byTable)
      .filter(([table, ids]) => Object.entries(ids).some(([code, is]) => now[workspace]?.[table]?.[code] !== is))
      .map(([table]) => table),
  )
  if (changed.length > 0) throw new TableAlteredError(id, [...new Set(changed)])
}

/** Decides by what the tables hold now, which may be another answer than when the shards were loaded. */
async function placeShards(
  session: Session,
  run: OpenRun,
  shards: readonly Shard[],
  loaded: readonly LoadedShard[],
  replaceable: ReadonlySet<string>,
): Promise<readonly Placed[]> {
  const placed: Placed[] = []
  for (const shard of shards) {
    const record = loaded.find(({ table_name, shard: n }) => table_name === shard.fact.table && n === shard.number)
    if (!record) throw new Error(`shard ${shard.number} of ${shard.fact.table} is not loaded`)
    placed.push({ shard, loaded: record, placement: await placementOf(session, run, shard, replaceable) })
  }
  return placed
}

/** The way a shard goes from here, as the tables are now. */
export async function placementOf(
  session: Session,
  { schema }: Pick<OpenRun, 'schema'>,
  { fact, month }: Shard,
  replaceable: ReadonlySet<string>,
): Promise<Placement> {
  const { table, timeColumn } = fact
  if (!month || !timeColumn) return { way: 'merge' }
  const partitioning = await readPartitioning(session, schema, table, timeColumn)
  if (!partitioning) return { way: 'merge' }
  const { defaultPartition } = partitioning
  const inDefault = defaultPartition
    ? await monthsInDefault(session, schema, defaultPartition, timeColumn)
    : new Set<number>()
  return placeMonth(month, partitioning, replaceable, inDefault.has(month.from))
}

async function mergeAll(session: Session, run: OpenRun, merged: readonly Placed[]): Promise<void> {
  if (merged.length === 0) return
  await session.unsafe('set constraints all deferred')
  for (const each of merged) await merge(session, run, each)
  // A table whose rows wait to be checked cannot be altered.
  await session.unsafe('set constraints all immediate')
}

/**
 * Inserts the rows of a shard into a table that holds others, and proves that all of them are there.
 *
 * @throws RowsMissingError when a trigger or a rule dropped rows.
 */
async function merge(session: Session, run: OpenRun, { shard, loaded, placement }: Placed): Promise<void> {
  const { schema, staging, facts } = run
  const { fact, month } = shard
  if (placement.way === 'ensure' && month) {
    await session.unsafe(`
      select ${quoteQualified(schema, `${fact.table}_ensure_partitions`)}(${timeLiteral(month.from)}, ${timeLiteral(month.to)})`)
  }
  const names = writtenColumns(shard, facts.numbered[fact.table])
  const columns = names.map(quoteIdentifier).join(', ')
  const source = quoteQualified(staging, shard.name)
  const [before] = await session<
    { rows: number }[]
  >`select count(*) as rows from ${session(staging)}.${session(shard.name)}`
  if (before?.rows !== loaded.rows) throw new TableAlteredError(run.id, [`${staging}.${shard.name}`])
  const result = await session.unsafe(`
    insert into ${quoteQualified(schema, fact.table)} (${columns}) overriding system value select ${columns} from ${source}`)
  const missing = await countMissing(session, run, shard, names)
  const landed = Math.min(result.count, loaded.rows - missing)
  if (landed !== loaded.rows) throw new RowsMissingError(fact.table, loaded.rows, landed)
}

/**
 * Rows of a shard that its table does not have; as text, since not every type can be compared.
 * The table is searched no further than the times of the shard's rows.
 */
async function countMissing(
  session: Session,
  { schema, staging, pack, settings }: OpenRun,
  shard: Shard,
  names: readonly string[],
): Promise<number> {
  const row = `row(${names.map((name) => `t.${quoteIdentifier(name)}`).join(', ')})::text`
  const source = quoteQualified(staging, shard.name)
  const { table, timeColumn } = shard.fact
  const time = quoteIdentifier(timeColumn ?? '')
  const conditions = [
    ...(timeColumn
      ? [`t.${time} between (select min(${time}) from ${source}) and (select max(${time}) from ${source})`]
      : []),
    ...(pack.workspaces ? [`t.workspace_id = any($1::uuid[]) and t.metadata->>'obs_run' = $2`] : []),
  ]
  const mine = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
  const values = pack.workspaces ? [[...workspacesOf(pack, settings)], settings.runId] : []
  const [found] = await session.unsafe<{ missing: number }[]>(
    `select count(*) as missing from (
       select ${row} from ${source} t
       except all
       select ${row} from ${quoteQualified(schema, table)} t${mine}
     ) missing`,
    values,
  )
  return found?.missing ?? 0
}

async function clear(
  session: Session,
  { schema, tables }: OpenRun,
  removal: Removal,
  replacement: Replacement,
  attached: readonly Placed[],
): Promise<void> {
  const [first] = tables
  const replaced = attached.flatMap(({ placement }) =>
    placement.way === 'attach' && placement.replaces ? [placement.replaces] : [],
  )
  if (first) {
    await clearPartitions({ session, schema }, removal, replacement, first, new Set(replaced))
  }
}

/** Makes the table of a shard a partition: with its keys, in the schema and under the name where it belongs. */
async function attach(
  session: Session,
  { schema, staging }: OpenRun,
  { shard, loaded, placement }: Placed,
): Promise<void> {
  const { fact, month, name } = shard
  if (!month || placement.way !== 'attach') return
  for (const { constraint } of loaded.indexes) if (constraint) await session.unsafe(constraint)
  await addForeignKeys(session, { schema, staging }, shard)
  const { replaces } = placement
  if (replaces) await session.unsafe(`drop table ${quoteQualified(schema, replaces)}`)
  const child = quoteQualified(schema, name)
  await session.unsafe(`
    alter table ${quoteQualified(staging, name)} set schema ${quoteIdentifier(schema)};
    alter table ${quoteQualified(schema, fact.table)} attach partition ${child}
      for values from (${timeLiteral(month.from)}) to (${timeLiteral(month.to)});
    alter table ${child} drop constraint ${quoteIdentifier(rangeCheck)}`)
  if (replaces && replaces !== name) await session.unsafe(`alter table ${child} rename to ${quoteIdentifier(replaces)}`)
  await logHours(session, schema, fact, shard.stretch)
}

function countsOf(tables: readonly FactTable[], loaded: readonly LoadedShard[]): Record<string, TableCount> {
  return Object.fromEntries(
    tables.map(({ table }) => {
      const rows = sum(loaded.filter(({ table_name }) => table_name === table).map((shard) => shard.rows))
      return [table, { rows, inserted: rows }]
    }),
  )
}

function proofOf(tables: readonly FactTable[], loaded: readonly LoadedShard[]): Record<string, TableProof> {
  return Object.fromEntries(
    tables.map(({ table }) => {
      const shards = loaded.filter(({ table_name }) => table_name === table).sort((a, b) => a.shard - b.shard)
      const hash = createHash('sha256').update(shards.map(({ sha256 }) => sha256).join('\n'))
      const [rows, bytes] = [sum(shards.map((shard) => shard.rows)), sum(shards.map((shard) => shard.bytes))]
      return [table, { rows, bytes, sha256: hash.digest('hex'), shards: shards.length }]
    }),
  )
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** What is worth keeping beside the rows: prices, for example, and the faults that were planted. */
function notesOf({ plan, settings }: OpenRun): Readonly<Record<string, unknown>> {
  return settings.truth ? { ...plan.notes, faults: settings.truth } : plan.notes
}

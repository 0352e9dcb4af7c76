import type { RunContext } from '../context.js'
import type { Session } from '../database/connect.js'
import { quoteIdentifier, quoteQualified } from '../database/quote.js'
import { ObsError } from '../errors.js'
import { exists } from './change-log.js'
import type { FactTable, SeedPack } from './pack.js'
import { readPartitioning } from './partitions.js'
import type { RecordedRun } from './run-ledger.js'

/** Where rows are removed: in the open transaction. */
export interface RemovalPlace {
  readonly session: Session
  readonly schema: string
}

/** The runs whose rows give way to a new one. */
export interface Replacement {
  readonly pack: SeedPack
  readonly workspaces: readonly string[]
  readonly runs: readonly RecordedRun[]
}

/** What was found of earlier runs, and what became of it. */
export interface Removal {
  /** Rows removed by table. */
  readonly removed: Readonly<Record<string, number>>
  /** Partitions of the first fact table that hold rows of these runs alone; they are emptied or replaced at the end. */
  readonly whole: readonly WholePartition[]
}

export interface WholePartition {
  readonly name: string
  readonly rows: number
}

/** Rows that say they are synthetic are not the rows that obs wrote; nothing was removed. */
export class UnknownSyntheticRowsError extends ObsError {
  constructor(
    readonly table: string,
    readonly run: string,
    readonly recorded: number,
    readonly found: number,
  ) {
    super(`${table} has ${found} rows marked as run ${run}, and obs.seed_runs knows of ${recorded}`, {
      code: 'unknown_synthetic_rows',
      hint: `Look at the rows of ${table} whose metadata->>'obs_run' is ${run}: delete them or take the mark off, then seed again; nothing was changed.`,
      details: { table, run, recorded, found },
    })
  }
}

/**
 * Removes the rows of earlier runs and nothing else.
 *
 * Rows are known by the mark of a run that the ledger has, in the workspaces it has it
 * for, and never more of them than it has. A partition in which there is nothing but
 * such rows is left for `clearPartitions`, because emptying it row by row would take
 * longer than loading it anew.
 *
 * @param known all runs of the workspaces, when others than these keep their rows.
 * @throws UnknownSyntheticRowsError when a mark is unknown or there are too many rows of one.
 */
export async function removeRuns(
  place: RemovalPlace,
  replacement: Replacement,
  context: RunContext,
  known: readonly RecordedRun[] = replacement.runs,
): Promise<Removal> {
  if (!replacement.pack.workspaces) return { removed: await removeByPack(place, replacement), whole: [] }
  const removed: Record<string, number> = {}
  let whole: readonly WholePartition[] = []
  for (const table of [...replacement.pack.facts].reverse()) {
    const groups = await countGroups(place, table, replacement.workspaces)
    checkAgainstLedger(table, groups, known, replacement, context)
    const isFirst = table === replacement.pack.facts[0]
    whole = isFirst ? await wholePartitions(place, groups, replacement) : []
    const spared = new Set(whole.map(({ name }) => name))
    const marked = groups.filter((group) => isOf(replacement, group))
    const rows = await deleteMarked(
      place,
      table,
      replacement,
      marked.filter(({ part }) => !spared.has(part)),
    )
    removed[table] = rows + whole.reduce((sum, partition) => sum + partition.rows, 0)
  }
  for (const [table, column] of Object.entries(replacement.pack.named)) {
    removed[table] = await removeUnused(place, table, column, replacement)
  }
  return { removed, whole }
}

/** The partitions of the first fact table of which every row belongs to one of the runs, as it is now. */
export async function findWholePartitions(
  place: RemovalPlace,
  replacement: Replacement,
): Promise<readonly WholePartition[]> {
  const [table] = replacement.pack.facts
  if (table === undefined || !replacement.pack.workspaces) return []
  return wholePartitions(place, await countGroups(place, table, replacement.workspaces), replacement)
}

/** A pack whose rows carry no marks knows itself which rows are a run's. */
async function removeByPack(
  { session, schema }: RemovalPlace,
  { pack, runs }: Replacement,
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (const run of runs) {
    if (!pack.remove) throw cannotRemove(pack.name)
    for (const [table, rows] of Object.entries(await pack.remove(session, run, schema))) {
      removed[table] = (removed[table] ?? 0) + rows
    }
  }
  return removed
}

/**
 * Locks the partitions that hold nothing but rows of earlier runs, proves that this is
 * still so, and empties those that no new partition replaces.
 *
 * @throws ObsError when somebody wrote into one in the meantime.
 */
export async function clearPartitions(
  place: RemovalPlace,
  { whole }: Removal,
  replacement: Replacement,
  fact: Pick<FactTable, 'changeLog' | 'timeColumn'>,
  replaced: ReadonlySet<string>,
): Promise<void> {
  for (const { name, rows } of whole) {
    const partition = quoteQualified(place.schema, name)
    await place.session.unsafe(`lock table ${partition} in access exclusive mode`)
    const [found] = await place.session<{ marked: number; others: number }[]>`
      select count(*) filter (where ${isMarked(place, replacement)}) as marked,
             count(*) filter (where (${isMarked(place, replacement)}) is not true) as others
      from ${place.session(place.schema)}.${place.session(name)}`
    if (found?.others !== 0 || found.marked !== rows) throw changedMeanwhile(name)
    await logRemovedHours(place, fact, name)
    if (!replaced.has(name)) await place.session.unsafe(`truncate ${partition}`)
  }
}

interface Group {
  /** The partition, or the table itself. */
  readonly part: string
  /** The run, or null for rows that are not synthetic or belong to another workspace. */
  readonly run: string | null
  readonly rows: number
}

function countGroups(
  { session, schema }: RemovalPlace,
  table: string,
  workspaces: readonly string[],
): Promise<readonly Group[]> {
  return session<Group[]>`
    select c.relname as part, g.run, g.rows
    from (
      select tableoid as part, count(*) as rows,
             case when workspace_id = any(${[...workspaces]}::uuid[]) then metadata->>'obs_run' end as run
      from ${session(schema)}.${session(table)}
      group by 1, 3
    ) g
    join pg_class c on c.oid = g.part
    order by 1, 2`
}

function checkAgainstLedger(
  table: string,
  groups: readonly Group[],
  known: readonly RecordedRun[],
  replacement: Replacement,
  { progress }: RunContext,
): void {
  const found = new Map<string, number>(runIds(replacement).map((run) => [run, 0]))
  for (const { run, rows } of groups) if (run !== null) found.set(run, (found.get(run) ?? 0) + rows)
  for (const [run, rows] of found) {
    const recorded = known.find(({ run_id }) => run_id === run)?.rows[table] ?? 0
    if (rows > recorded) throw new UnknownSyntheticRowsError(table, run, recorded, rows)
    if (rows < recorded)
      progress.warn(`${recorded - rows} of the ${recorded} rows of run ${run} were gone from ${table} already`)
  }
}

/** Partitions of which every row belongs to one of the runs; the default partition is never one of them. */
async function wholePartitions(
  { session, schema }: RemovalPlace,
  groups: readonly Group[],
  replacement: Replacement,
): Promise<readonly WholePartition[]> {
  const { pack } = replacement
  const table = pack.facts[0] ?? ''
  const partitioning = await readPartitioning(session, schema, table, pack.timeColumns[table] ?? '')
  return (partitioning?.partitions ?? [])
    .map(({ name }) => ({ name, groups: groups.filter(({ part }) => part === name) }))
    .filter((partition) => partition.groups.length > 0 && partition.groups.every((group) => isOf(replacement, group)))
    .map((partition) => ({ name: partition.name, rows: partition.groups.reduce((sum, { rows }) => sum + rows, 0) }))
}

/** Deletes through the table, so that its triggers see it; the time bounds keep whole partitions out of it. */
async function deleteMarked(
  place: RemovalPlace,
  table: string,
  replacement: Replacement,
  groups: readonly Group[],
): Promise<number> {
  const expected = groups.reduce((sum, { rows }) => sum + rows, 0)
  if (expected === 0) return 0
  const { session, schema } = place
  const parts = [...new Set(groups.map(({ part }) => quoteQualified(schema, part)))]
  const { count } = await session`
    delete from ${session(schema)}.${session(table)}
    where tableoid = any(${parts}::text[]::regclass[]) and ${isMarked(place, replacement)}`
  if (count !== expected) throw changedMeanwhile(table)
  return count
}

/** Removes the runs' reference rows that no remaining fact names. */
async function removeUnused(
  place: RemovalPlace,
  table: string,
  column: string,
  replacement: Replacement,
): Promise<number> {
  const { session, schema } = place
  const facts = replacement.pack.facts[0] ?? ''
  const { count } = await session`
    delete from ${session(schema)}.${session(table)} named
    where ${isMarked(place, replacement)}
      and not exists (
        select from ${session(schema)}.${session(facts)} fact
        where fact.workspace_id = named.workspace_id and fact.${session(column)} = named.${session(column)}
          and (fact.metadata->>'obs_run' = any(${runIds(replacement)})) is not true)`
  return count
}

/**
 * Removes the reference rows that the runs made and nothing refers to any more: those that facts
 * are made with, and the workspaces themselves once they are empty.
 */
export async function removeReferences(place: RemovalPlace, replacement: Replacement): Promise<Record<string, number>> {
  const { session, schema } = place
  const { pack } = replacement
  const removed: Record<string, number> = {}
  for (const table of Object.keys(pack.coded)) {
    const keys = await session<{ child: string; condition: string }[]>`
      select c.conrelid::regclass::text as child,
             (select string_agg(format('f.%I = r.%I', f.attname, r.attname), ' and ')
              from unnest(c.conkey, c.confkey) as k (own, theirs)
              join pg_attribute f on f.attrelid = c.conrelid and f.attnum = k.own
              join pg_attribute r on r.attrelid = c.confrelid and r.attnum = k.theirs) as condition
      from pg_constraint c
      where c.contype = 'f' and c.conparentid = 0 and c.confrelid = ${quoteQualified(schema, table)}::regclass`
    const isFree = keys.map(({ child, condition }) => ` and not exists (select from ${child} f where ${condition})`)
    const { count } = await session`
      delete from ${session(schema)}.${session(table)} r
      where ${isMarked(place, replacement)} ${session.unsafe(isFree.join(''))}`
    removed[table] = count
  }
  if (!pack.workspaces) return removed
  const others = [...new Set([...Object.keys(pack.requires), ...pack.facts])].filter(
    (table) => table !== pack.workspaces?.table,
  )
  const isEmpty = others.map(
    (table) => ` and not exists (select from ${quoteQualified(schema, table)} f where f.workspace_id = r.id)`,
  )
  const { count } = await session`
    delete from ${session(schema)}.${session(pack.workspaces.table)} r
    where ${isMarked(place, replacement)} ${session.unsafe(isEmpty.join(''))}`
  return { ...removed, [pack.workspaces.table]: count }
}

async function logRemovedHours(
  { session, schema }: RemovalPlace,
  fact: Pick<FactTable, 'changeLog' | 'timeColumn'>,
  partition: string,
): Promise<void> {
  const { changeLog, timeColumn } = fact
  if (!changeLog || !timeColumn || !(await exists(session, schema, changeLog.table))) return
  await session.unsafe(`
    insert into ${quoteQualified(schema, changeLog.table)} (${quoteIdentifier(changeLog.column)})
    select distinct date_trunc('hour', ${quoteIdentifier(timeColumn)}, 'UTC') from ${quoteQualified(schema, partition)}`)
}

/** Whether the rows of a group belong to one of the runs that give way. */
function isOf({ runs }: Replacement, { run }: Group): boolean {
  return runs.some(({ run_id }) => run_id === run)
}

function isMarked({ session }: RemovalPlace, replacement: Replacement) {
  return session`
    workspace_id = any(${[...replacement.workspaces]}::uuid[]) and metadata->>'obs_run' = any(${runIds(replacement)})`
}

function runIds({ runs }: Replacement): string[] {
  return runs.map(({ run_id }) => run_id)
}

function cannotRemove(pack: string): ObsError {
  return new ObsError(`the rows of the pack ${pack} carry no mark by which they could be told from others`, {
    code: 'cannot_remove',
    hint: 'Remove them yourself; nothing was changed.',
    details: { pack },
  })
}

function changedMeanwhile(table: string): ObsError {
  return new ObsError(`rows of ${table} were written while the earlier runs were being replaced`, {
    code: 'replace_conflict',
    hint: 'Run obs seed --replace again; nothing was changed.',
    details: { table },
  })
}

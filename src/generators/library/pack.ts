import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Session } from '../../database/connect.js'
import { copyIn } from '../../database/copy-in.js'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../database/quote.js'
import { ObsError } from '../../errors.js'
import { CopyBuffer, copyHeader, copyTrailer } from '../copy-binary.js'
import type { Column, FactTable, Json, RunSettings, SeedPack, SeedPlan } from '../pack.js'
import type { RecordedRun } from '../run-ledger.js'
import type { CompiledTable } from './compile.js'
import { planFor, runOf, windowOf } from './describe.js'
import type { TablePlan } from './plan.js'
import { type Prepared, preparePlan, refuseAny, tablePlans } from './prepare.js'
import { rehearse } from './rehearse.js'
import type { SeedSpec } from './spec.js'

/** What has to be the same when a run is gone on with, or taken away. */
interface Recorded {
  readonly first: Readonly<Record<string, number>>
  readonly starts: Readonly<Record<string, number>>
  /** The number of rows that were referred to, and what they were, by table. */
  readonly existing: Readonly<Record<string, string>>
}

/** The generators of a pack of somebody's own, from its entry `seed` in the configuration. */
export function libraryPack(name: string, spec: SeedSpec): SeedPack {
  let ready: Prepared | undefined
  const tables = () => {
    if (!ready) throw new Error('the plan was not prepared')
    return tablePlans(ready)
  }
  return {
    name,
    profiles: [
      { name: 'default', description: 'the rows of the plan' },
      ...Object.entries(spec.profiles ?? {}).map(([profile, { description = '' }]) => ({ name: profile, description })),
    ],
    requires: {},
    coded: {},
    facts: Object.keys(spec.tables),
    timeColumns: {},
    named: {},
    derived: [],
    async prepare(session, settings, schema, recorded) {
      const known = recorded as unknown as Recorded | undefined
      const first = known?.first ?? (await earlierRows(session, name, settings))
      ready = await preparePlan(
        session,
        schema,
        planFor(spec, settings.profile),
        runOf(settings, spec, first),
        known?.starts,
      )
      const kept = keep(ready, first)
      if (known) compareExisting(known, kept)
      else {
        refuseAny(await rehearse(session, tables()))
        await reserveSequences(session, schema, tables())
      }
      return kept as unknown as Json
    },
    async remove(session, run, schema) {
      const [row] = await session<{ library: Recorded | null; scale: number }[]>`
        select settings -> 'library' as library, coalesce((settings ->> 'scale')::float8, 1) as scale
        from obs.seed_runs where run_id = ${run.run_id}`
      if (!row?.library) throw notRemovable(run.run_id, 'the ledger does not say how its rows were made')
      const settings = { ...run, asOf: run.as_of, scale: row.scale }
      const prepared = await preparePlan(
        session,
        schema,
        planFor(spec, run.profile),
        runOf(settings, spec, row.library.first),
        row.library.starts,
      )
      compareExisting(row.library, keep(prepared, row.library.first))
      return removeRows(session, schema, run, tablePlans(prepared))
    },
    plan(settings, prepared): SeedPlan {
      return {
        window: windowOf(settings),
        incidents: [],
        notes: { library: prepared ?? null },
        references: async () => [],
        facts: async () => tables().map(({ compiled, plan }) => factOf(compiled, plan)),
        closing: async () => [],
      }
    },
  }
}

/** Rows that earlier runs of the pack left; an appended run goes on counting behind them. */
async function earlierRows(session: Session, pack: string, { ordinal }: RunSettings): Promise<Record<string, number>> {
  if (ordinal === 0) return {}
  const runs = await session<{ rows: Record<string, number> }[]>`select rows from obs.seed_runs where pack = ${pack}`
  const sums: Record<string, number> = {}
  for (const { rows } of runs)
    for (const [table, count] of Object.entries(rows)) sums[table] = (sums[table] ?? 0) + count
  return sums
}

function keep({ world }: Prepared, first: Readonly<Record<string, number>>): Recorded {
  return {
    first,
    starts: Object.fromEntries(world.starts),
    existing: Object.fromEntries([...world.existing].map(([table, rows]) => [table, `${rows.count} ${hashOf(rows)}`])),
  }
}

/** A hash over keys of rows that are referred to, taken at up to a thousand places. */
function hashOf({
  count,
  names,
  column,
}: {
  readonly count: number
  readonly names: readonly string[]
  column(name: string): (index: number) => unknown
}): string {
  const hash = createHash('sha256')
  const step = Math.max(1, Math.floor(count / 1000))
  for (const name of names) for (let i = 0; i < count; i += step) hash.update(`${String(column(name)(i))}\n`)
  return hash.digest('hex').slice(0, 16)
}

function compareExisting(recorded: Recorded, now: Recorded): void {
  for (const [table, was] of Object.entries(recorded.existing)) {
    if (now.existing[table] === was) continue
    throw new ObsError(`the rows of ${table}, which the run refers to, are others than when it began`, {
      code: 'referred_rows_changed',
      hint: `Take the run away with obs seed remove, or put the rows of ${table} back.`,
      details: { table },
    })
  }
}

/** Moves sequences behind the numbers that the run is going to use, so that nobody else is given one of them. */
async function reserveSequences(session: Session, schema: string, tables: readonly Loadable[]): Promise<void> {
  for (const { compiled } of tables) {
    const path = quoteLiteral(quoteQualified(schema, compiled.name))
    for (const [name, { parsed, value }] of compiled.columns) {
      if (parsed.generator.name !== 'sequence' || compiled.rows === 0) continue
      const last = Number(value(compiled.first + compiled.rows - 1))
      await session.unsafe(`
        select setval(s.name::regclass, greatest(${last}, (select coalesce(q.last_value, 0) from pg_sequences q
          where format('%I.%I', q.schemaname, q.sequencename)::regclass = s.name::regclass)))
        from (select pg_get_serial_sequence(${path}, ${quoteLiteral(name)}) as name) s where s.name is not null`)
    }
  }
}

interface Loadable {
  readonly compiled: CompiledTable
  readonly plan: TablePlan<number>
}

function factOf(compiled: CompiledTable, plan: TablePlan<number>): FactTable {
  const columns: readonly Column[] = plan.columns.map(({ name, type }) => ({ name, type }))
  return {
    ...{ table: compiled.name, axis: 'rows', columns, rows: compiled.rows },
    countRows: ({ from, to }) => to - from,
    *encode(stretch, target) {
      let rows = 0
      for (const row of plan.draw(stretch)) {
        target.row(columns.length)
        for (const column of plan.columns) column.write(row, target)
        rows++
        if (!target.isFull) continue
        yield rows
        rows = 0
      }
      yield rows
    },
  }
}

/** Makes the keys of a run again and deletes the rows that have them, children first. */
async function removeRows(
  session: Session,
  schema: string,
  run: RecordedRun,
  tables: readonly Loadable[],
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (const { compiled, plan } of [...tables].reverse()) {
    const key = compiled.catalog.uniques.find((columns) => columns.every((name) => compiled.columns.has(name)))
    const recorded = run.rows[compiled.name] ?? 0
    if (recorded === 0) continue
    if (!key) throw notRemovable(run.run_id, `${compiled.name} has no key that tells its rows apart`)
    const table = quoteQualified(schema, compiled.name)
    const names = key.map(quoteIdentifier).join(', ')
    await session.unsafe(`create temporary table obs_keys on commit drop as select ${names} from ${table} with no data`)
    await copyIn(
      session,
      `copy pg_temp.obs_keys (${names}) from stdin (format binary)`,
      Readable.from(keysOf(compiled, plan, key)),
    )
    const pairs = key.map((name) => `t.${quoteIdentifier(name)} = k.${quoteIdentifier(name)}`).join(' and ')
    const { count } = await session.unsafe(`delete from ${table} t using pg_temp.obs_keys k where ${pairs}`)
    await session.unsafe('drop table pg_temp.obs_keys')
    if (count !== recorded) {
      throw notRemovable(
        run.run_id,
        `${recorded} rows of ${compiled.name} are on record and ${count} were found: the plan was changed since, or the rows were`,
      )
    }
    removed[compiled.name] = count
  }
  return removed
}

function* keysOf({ rows }: CompiledTable, plan: TablePlan<number>, key: readonly string[]): Iterable<Buffer> {
  const columns = key.flatMap((name) => plan.columns.find((column) => column.name === name) ?? [])
  const buffer = new CopyBuffer()
  yield copyHeader
  for (const row of plan.draw({ from: 0, to: rows })) {
    buffer.row(columns.length)
    for (const column of columns) column.write(row, buffer)
    if (!buffer.isFull) continue
    yield Buffer.from(buffer.content)
    buffer.clear()
  }
  yield Buffer.concat([buffer.content, copyTrailer])
}

function notRemovable(run: string, reason: string): ObsError {
  return new ObsError(`run ${run} cannot be taken away: ${reason}`, {
    code: 'run_not_removable',
    hint: 'Delete its rows yourself; nothing was changed.',
    details: { run_id: run },
  })
}

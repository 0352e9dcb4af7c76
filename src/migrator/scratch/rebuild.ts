import type { RunContext } from '../../context.js'
import type { Database } from '../../database/connect.js'
import { type InstalledExtension, installExtensions, listExtensions } from '../../database/extensions.js'
import type { Platform } from '../../database/platform.js'
import { InterruptedError, ObsError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import { hasChanged } from '../checksum/changes.js'
import { textChecksum } from '../checksum/checksum.js'
import { DirtyHistoryError, MissingMigrationError, UnfinishedMigrationError } from '../errors.js'
import { parseDirectives } from '../files/directives.js'
import { discover } from '../files/discover.js'
import { foldHistory, type HistoryEvent, presentVersions, readHistory, type VersionRecord } from '../history/history.js'
import type { Migration, Script } from '../migration.js'
import { planUp, type Step } from '../plan/plan.js'
import { runMigrations } from '../run/run.js'
import { loadParser } from '../statements/parser.js'
import { parseScript } from '../statements/statements.js'
import { type Declarations, declarationsOf } from './declarations.js'

/** Migrations to run on an empty database, in the order in which another one ran them. */
export interface Rebuild extends Declarations {
  readonly pack: Pack
  readonly steps: readonly Step[]
  readonly changed: readonly ChangedSource[]
}

/** A migration whose file no longer says what ran, and what stands in for it. */
export interface ChangedSource {
  readonly migration: string
  readonly file: 'changed' | 'missing'
  readonly using: 'history' | 'file'
}

/**
 * Decides how to build anew what the history of a database says is applied: the same
 * versions in the same order, each in the form (variant) that ran.
 *
 * Where a file has changed or gone since, the text that the history kept is used.
 *
 * @throws ObsError with exit code 5 when a migration is half done: what the schema should be then nobody can say.
 * @throws MissingMigrationError when a file is gone and the history kept no text of it.
 */
export async function planRebuild({ sql, platform }: Database, pack: Pack): Promise<Rebuild> {
  const migrations = new Map((await discover(pack.migrations)).map((migration) => [migration.version, migration]))
  const events = await readHistory(sql, pack, { whole: true })
  await loadParser()
  const records = [...presentVersions(foldHistory(events))].sort((a, b) => a.order - b.order)
  for (const record of records) refuseHalfDone(record)
  const sources = records.map((record) => sourceOf(record, migrations.get(record.version), events))
  const lost = sources.filter((source) => 'missing' in source).map((source) => source.missing)
  if (lost.length > 0) throw new MissingMigrationError(lost, pack.migrations)
  const found = sources.filter((source) => 'step' in source)
  const changed = found.flatMap((source) => (source.changed ? [source.changed] : []))
  return describe(
    pack,
    found.map(({ step }) => step),
    changed,
    platform,
  )
}

/** Decides how to build what the files of a pack say, up to a version, in the form for a platform. */
export async function planBuild(
  pack: Pack,
  platform: Pick<Platform, 'name' | 'serverVersion'>,
  to?: number,
): Promise<Rebuild> {
  const migrations = await discover(pack.migrations)
  const situation = { migrations, history: new Map(), platform: platform.name, folder: pack.migrations }
  const steps = planUp(situation, to === undefined ? {} : { to })
  return describe(pack, steps, [], platform)
}

/**
 * Runs the migrations on `scratch`, which is empty, after making those extensions of
 * another database that the migrations do not make themselves.
 *
 * @returns the extensions in `scratch` that no migration makes or asks for.
 * @throws ObsError naming the migration that does not run there.
 */
export async function rebuild(
  scratch: Database,
  { pack, steps, madeExtensions, requiredExtensions }: Rebuild,
  existing: readonly InstalledExtension[],
  context: RunContext,
): Promise<ReadonlySet<string>> {
  const others = existing.filter(({ name }) => !madeExtensions.has(name))
  const before = await listExtensions(scratch.sql)
  await installExtensions(scratch.sql, others)
  const plain = steps.map((step) => ({ ...step, verify: undefined }))
  await runMigrations(scratch, pack, () => plain, { preserve: 'off' }, context).catch(explain)
  const unasked = [...before, ...others].map(({ name }) => name)
  return new Set(unasked.filter((name) => !requiredExtensions.has(name)))
}

async function describe(
  pack: Pack,
  steps: readonly Step[],
  changed: readonly ChangedSource[],
  { serverVersion }: Pick<Platform, 'serverVersion'>,
): Promise<Rebuild> {
  const scripts = steps.filter(({ script }) => !script.run)
  const parsed = await Promise.all(scripts.map(({ script }) => parseScript(script, serverVersion)))
  const trees = parsed.map((result, i) => ({
    migration: scripts[i]?.migration.id ?? '',
    statements: result.parsed.statements,
  }))
  const required = steps.flatMap(({ script }) => script.directives.requires)
  return { pack, steps, changed, ...declarationsOf(trees, required) }
}

function refuseHalfDone({ state, name, version, direction, statement }: VersionRecord): void {
  if (state === 'unknown') throw new DirtyHistoryError(name, version, direction, statement)
  if (state === 'stopped') throw new UnfinishedMigrationError(name, version, direction, statement)
}

type Source = { readonly step: Step; readonly changed?: ChangedSource } | { readonly missing: string }

function sourceOf(record: VersionRecord, migration: Migration | undefined, events: readonly HistoryEvent[]): Source {
  const script = migration?.up.find((form) => form.variant === record.variant)
  const name = migration?.id ?? `${record.version}_${record.name}`
  if (migration && script && !hasChanged(migration, record)) return { step: stepOf(migration, script) }
  const file = script ? 'changed' : 'missing'
  const kept = keptScript(record, name, events)
  if (kept) return { step: stepOf(kept.migration, kept.script), changed: { migration: name, file, using: 'history' } }
  if (migration && script) return { step: stepOf(migration, script), changed: { migration: name, file, using: 'file' } }
  return { missing: name }
}

function stepOf(migration: Migration, script: Script): Step {
  return { migration, direction: 'up', script, verify: undefined, resumeAt: 1, doneStatements: [], remark: null }
}

/** The text that the history kept, when it is SQL and indeed what ran. */
function keptScript(
  record: VersionRecord,
  id: string,
  events: readonly HistoryEvent[],
): { readonly migration: Migration; readonly script: Script } | undefined {
  const { version, name, variant } = record
  const event = events.findLast((one) => one.version === version && one.direction === 'up' && one.state === 'applied')
  if (!event?.script) return undefined
  const file = `${id} as the history kept it`
  const parsed = parseDirectives(file, event.script)
  // The mark of another tool may have said so, rather than a directive.
  const directives = { ...parsed.directives, noTransaction: parsed.directives.noTransaction || !event.in_transaction }
  const script = { file, text: event.script, checksum: textChecksum(event.script), variant, directives }
  const migration = { version, name, id, up: [script], down: [], verify: [] }
  return hasChanged(migration, record) ? undefined : { migration, script }
}

/** What failed is the copy, so the advice on how to go on with the database does not hold. */
function explain(error: unknown): never {
  if (!(error instanceof ObsError) || error instanceof InterruptedError) throw error
  throw new ObsError(`the migrations cannot be run on an empty database: ${error.message}`, {
    code: 'rebuild_failed',
    cause: error,
    hint: 'Mend what the message names; only the scratch database was touched, and it is gone.',
    ...(error.details ? { details: error.details } : {}),
  })
}

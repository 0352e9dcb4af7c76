import type { RunContext } from '../../context.js'
import { type Database, type Session, throwIfAborted } from '../../database/connect.js'
import { quoteIdentifier } from '../../database/quote.js'
import type { Pack } from '../../packs.js'
import { applyStep } from '../apply/apply.js'
import { hadNoEffect, StepError } from '../apply/step-error.js'
import { isTransactional, type PreparedStep, type Run, touched } from '../apply/step-run.js'
import type { Failure } from '../errors.js'
import { describeLocation } from '../files/location.js'
import { ensureHistory } from '../history/history.js'
import { factsAbout } from '../history/run-facts.js'
import { lockPolicy } from '../lock/lock-policy.js'
import type { PreservationMode } from '../preservation/choose-preservation.js'
import type { Node } from '../statements/statements.js'
import { type Prints, readPrints, readSequences, type ScratchTable, type SequencePrints } from './prints.js'
import { RelationCache } from './relation-cache.js'
import type { Trip } from './trips.js'
import { readWholeCatalog } from './whole-catalog.js'

/** What became of running one file. */
export type Attempt =
  | { readonly ok: true }
  | { readonly ok: false; readonly message: string; readonly refused: boolean; readonly halfDone: boolean }

/** The state of the scratch database, as far as a trip can have changed it. */
export interface State {
  readonly catalog: readonly string[]
  readonly tables: readonly ScratchTable[]
  readonly prints: Prints
  readonly sequences: SequencePrints
}

/** Runs migrations in a scratch database and looks at what they did. */
export interface ScratchRun {
  readonly session: Session
  readonly database: Database
  readonly run: Run
  readonly pack: Pack
  /** The pack's schema as it stands before the names of its tables. */
  readonly home: string
  readonly context: RunContext
  readonly cache: RelationCache
}

/** Makes the scratch database what `obs migrate up` would find: the extension of the platform, the schema, the history. */
export async function beginScratchRun(
  session: Session,
  database: Database,
  pack: Pack,
  platform: string,
  context: RunContext,
): Promise<ScratchRun> {
  if (platform !== 'postgres')
    await session.unsafe(`create extension if not exists ${quoteIdentifier(platform)} cascade`)
  await ensureHistory(session, pack)
  await session.unsafe(`create schema if not exists ${quoteIdentifier(pack.schema)}`)
  const run: Run = {
    schema: pack.schema,
    facts: await factsAbout(session, pack),
    preserve: 'off',
    backupId: null,
    remark: null,
    ddlLockTimeoutMs: 10_000,
    locks: await lockPolicy(session, database, { ddlRetryForMs: 0 }),
  }
  const [home] = await session<{ name: string }[]>`select quote_ident(${pack.schema}) as name`
  return { session, database, run, pack, home: home?.name ?? pack.schema, context, cache: new RelationCache() }
}

/**
 * Runs one file as `obs migrate` would.
 *
 * @throws whatever is not the file's fault: an interruption, a lost connection.
 */
export async function attempt(
  { session, run, context }: ScratchRun,
  step: PreparedStep,
  preserve: PreservationMode = 'off',
): Promise<Attempt> {
  const silent = { ...context, progress: { ...context.progress, advance() {} } }
  try {
    await applyStep(session, { ...run, preserve }, step, silent)
    return { ok: true }
  } catch (error) {
    throwIfAborted(context.signal)
    if (!(error instanceof StepError) || !hadNoEffect({ ...error.failure, statement: 1 })) throw error
    const refused = error.failure.losses !== undefined
    return { ok: false, message: describeFailure(error.failure), refused, halfDone: !isTransactional(step) }
  }
}

/** What the server said, and where in which file. */
export function describeFailure({ message, location }: Failure): string {
  return location ? `${message} (${describeLocation(location)})` : message
}

/** What a trip can change, as far as the text of its files tells. */
export interface Scope {
  /** Names of the existing tables whose rows it can change; those that it makes come on top. */
  readonly tables: 'all' | ReadonlySet<string>
  /** Something may get another name, so that other definitions read differently. */
  readonly renames: boolean
}

export function scopeOf({ up, down }: Trip): Scope {
  const names = new Set<string>()
  let renames = false
  for (const step of down ? [up, down] : [up]) {
    const what = touched(step)
    if (what === 'all' || what.uncertain.length > 0) return { tables: 'all', renames: true }
    for (const { table } of what.tables) names.add(table)
    renames ||= step.parsed?.statements.some(({ tree }) => givesNames(tree)) !== false
  }
  return { tables: names, renames }
}

const naming = new Set(['RenameStmt', 'AlterObjectSchemaStmt', 'AlterExtensionStmt', 'AlterExtensionContentsStmt'])

function givesNames(tree: Node | undefined): boolean {
  return tree === undefined || Object.keys(tree).some((kind) => naming.has(kind))
}

/** The tables there are now. */
export function tablesOf({ session, pack, cache }: ScratchRun): Promise<readonly ScratchTable[]> {
  return cache.tables(session, { schema: pack.historySchema, table: 'migration_history' })
}

/**
 * Reads the catalog, the sequences and the tables within the scope.
 *
 * @param known the tables there were before; one that is not among them is read as well
 */
export async function readState(run: ScratchRun, scope: Scope, known?: readonly ScratchTable[]): Promise<State> {
  if (scope.renames) run.cache.forget()
  const { tables, prints } = await readRows(run, scope, known)
  const catalog = await readWholeCatalog(run.session, run.cache)
  return { catalog, tables, prints, sequences: await readSequences(run.session) }
}

/** The tables of a state without its catalog. */
export async function readRows(
  run: ScratchRun,
  scope: Scope,
  known?: readonly ScratchTable[],
): Promise<Pick<State, 'tables' | 'prints'>> {
  const tables = await tablesOf(run)
  const old = new Set((known ?? tables).map((table) => table.path))
  const chosen = tables.filter(
    (table) => scope.tables === 'all' || scope.tables.has(table.name) || !old.has(table.path),
  )
  return { tables, prints: await readPrints(run.session, chosen) }
}

import { isTransactional, type PreparedStep } from '../apply/step-run.js'
import { describeStatement } from '../effects/describe-statement.js'
import type { LockMode, StatementEffect } from '../effects/effects.js'
import { locate } from '../files/location.js'
import type { SchemaModel } from '../lint/schema-model.js'
import { chooseScript, type Direction, declarationsOf, type Script } from '../migration.js'
import type { TableName } from '../preservation/touched-tables.js'
import type { Statement } from '../statements/statements.js'
import type { TableBook, TableState } from './table-book.js'

/** One statement of a plan, with what it does to which tables. */
export interface StatementPreview {
  /** From 1, as the history counts; statements between a `begin` and a `commit` that count as one share it. */
  readonly number: number
  /** Absolute path; line and column as editors count. */
  readonly file: string
  readonly line: number
  readonly column: number
  readonly kind: string
  readonly sql: string
  readonly locks: readonly (TableState & { readonly mode: LockMode })[]
  readonly rewrites: readonly TableState[]
  /** Read from end to end while the lock is held, those that are rewritten not repeated. */
  readonly scans: readonly TableState[]
  readonly destroys: readonly string[]
  /** Only running it would tell what it touches. */
  readonly opaque: boolean
}

/** One migration of a plan. */
export interface StepPreview {
  readonly version: number
  readonly name: string
  readonly id: string
  readonly direction: Direction
  readonly file: string
  readonly transactional: boolean
  /** The statement it begins with; above 1 when an earlier run stopped halfway. */
  readonly resumeAt: number
  readonly remark: string | null
  readonly verify: boolean
  readonly statements: readonly StatementPreview[]
  /** What no down can bring back, and that there is no down at all. */
  readonly cannotBeUndone: readonly string[]
}

/** What is known before a step, and learns from it. */
export interface Knowledge {
  /** The tables and how many rows they hold. */
  readonly book: TableBook
  /** Their columns, constraints and indexes. */
  readonly model: SchemaModel
  /** `server_version_num` */
  readonly serverVersion: number
  readonly utc: boolean
}

/** Describes one step, and takes down what it does to the tables. */
export function describeStep(step: PreparedStep, knowledge: Knowledge): StepPreview {
  const { migration, direction, script, parsed, resumeAt, remark } = step
  const statements = (parsed?.statements ?? [])
    .flatMap((statement, i) => (statement.block ?? [statement]).map((one) => ({ statement: one, number: i + 1 })))
    .filter(({ number }) => number >= resumeAt)
    .map((one) => describeOne(script, one, knowledge))
  const described = script.run ? [functionPreview(script)] : statements
  return {
    version: migration.version,
    name: migration.name,
    id: migration.id,
    direction,
    file: script.file,
    transactional: isTransactional(step),
    resumeAt,
    remark,
    verify: step.verify !== undefined,
    statements: described,
    cannotBeUndone: [...described.flatMap((one) => one.destroys), ...withoutDown(step)],
  }
}

function describeOne(
  script: Script,
  { statement, number }: { readonly statement: Statement; readonly number: number },
  { book, model, serverVersion, utc }: Knowledge,
): StatementPreview {
  const effect = describeStatement(statement, { serverVersion, utc, facts: model })
  const { line, column } = locate(script.file, script.text, statement.index)
  const preview = {
    number,
    file: script.file,
    line,
    column,
    kind: `${effect.kind}${inBatches(statement)}`,
    sql: statement.sql,
    ...tablesOf(effect, book),
    destroys: effect.destroys,
    opaque: effect.opaque,
  }
  book.follow(statement)
  model.learn(statement, undefined)
  return preview
}

/** Its locks are held for one batch at a time. */
function inBatches({ backfill }: Statement): string {
  return backfill ? ` in batches of ${backfill.request.batch} by ${backfill.request.key.join(', ')}` : ''
}

function tablesOf(effect: StatementEffect, book: TableBook) {
  const find = (name: TableName) => book.find(name)
  const rewrites = effect.rewrites.map(find)
  const rewritten = (state: TableState) =>
    rewrites.some((one) => one.schema === state.schema && one.table === state.table)
  return {
    locks: effect.locks.map(({ table, mode }) => ({ ...find(table), mode })),
    rewrites,
    scans: effect.scans.map(find).filter((state) => !rewritten(state)),
  }
}

function functionPreview({ file, text }: Script): StatementPreview {
  const { line, column } = locate(file, text, 0)
  const nothing = { locks: [], rewrites: [], scans: [], destroys: [] }
  return { number: 1, file, line, column, kind: 'function', sql: '', ...nothing, opaque: true }
}

function withoutDown({ migration, direction, script }: PreparedStep): readonly string[] {
  if (direction === 'down') return []
  const down = chooseScript(migration.down, script.variant)
  const reasons = declarationsOf([script, down]).map(({ reason }) => reason)
  return [...(down ? [] : ['there is no down file']), ...new Set(reasons)]
}

import type { Database, Session } from '../../database/connect.js'
import type { Pack } from '../../packs.js'
import { setAgain } from '../apply/set-again.js'
import { searchPath, statementChecksum } from '../apply/step-run.js'
import { type Location, locate } from '../files/location.js'
import type { VersionRecord } from '../history/history.js'
import { chooseScript, type Migration, type Script } from '../migration.js'
import type { Situation } from '../plan/plan.js'
import { parseScript, parseStatement, type Statement } from '../statements/statements.js'
import { type Evidence, gatherEvidence, parseObservation } from './evidence.js'

/** What is known about a migration that is half done. */
export interface Investigation {
  readonly record: VersionRecord
  /** As people name it: `0005_indexes`. */
  readonly id: string
  /** Undefined when the files of the version are gone. */
  readonly migration: Migration | undefined
  readonly script: Script | undefined
  /** The statements of the file as it is now; empty for a function. */
  readonly statements: readonly Statement[]
  /** The statement that broke off, or the next one of a migration that stopped between two. */
  readonly statement: Statement | undefined
  readonly location: Location | undefined
  /** What the catalog says; undefined when the migration stopped and left nothing to look at. */
  readonly evidence: Evidence | undefined
}

/** Finds the migrations that are half done, lowest version first. */
export function halfDone({ history }: Situation): readonly VersionRecord[] {
  return [...history.values()]
    .filter((record) => record.state === 'stopped' || record.state === 'unknown')
    .sort((a, b) => a.version - b.version)
}

/**
 * Looks into files, history and catalog about one half-done migration; changes nothing.
 *
 * The statement is taken from the history as it ran, because the file may have been
 * edited since. Must be called under the migration lock, or the migration may still be
 * running.
 */
export async function investigate(
  session: Session,
  { platform }: Database,
  pack: Pack,
  { migrations }: Situation,
  record: VersionRecord,
): Promise<Investigation> {
  const migration = migrations.find((one) => one.version === record.version)
  const script = migration && chooseScript(migration[record.direction], record.variant)
  const statements = script && !script.run ? (await parseScript(script, platform.serverVersion)).parsed.statements : []
  const inFile = statements[record.statement - 1]
  const { interrupted } = record
  const statement = interrupted ? await parseStatement(interrupted.sql) : inFile
  const look = record.state === 'unknown' || interrupted !== undefined
  return {
    record,
    id: migration?.id ?? `${record.version}_${record.name}`,
    migration,
    script,
    statements,
    statement,
    location: script && inFile && locate(script.file, script.text, inFile.index),
    evidence: look ? await lookBack(session, pack, record, statement, settingsBefore(record, statements)) : undefined,
  }
}

/** Settings count only as long as the file still begins with what ran. */
function settingsBefore(record: VersionRecord, statements: readonly Statement[]): readonly Statement[] {
  const before = statements.slice(0, record.statement - 1)
  return before.every((one, i) => statementChecksum(one) === record.doneStatements[i]) ? before : []
}

/** Names are found as the statement found them; a transaction that is rolled back leaves no setting behind. */
async function lookBack(
  session: Session,
  pack: Pack,
  { interrupted }: VersionRecord,
  statement: Statement | undefined,
  before: readonly Statement[],
): Promise<Evidence> {
  await session`begin`
  try {
    await session.unsafe(`set local search_path to ${searchPath(pack.schema)}`)
    await setAgain(session, before)
    return await gatherEvidence(session, statement ?? { tree: undefined }, parseObservation(interrupted?.before))
  } finally {
    await session`rollback`
  }
}

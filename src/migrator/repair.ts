import type { RunContext } from '../context.js'
import type { Database } from '../database/connect.js'
import { UsageError } from '../errors.js'
import type { Pack } from '../packs.js'
import { checksumOf } from './checksum.js'
import {
  type EventState,
  foldHistory,
  type HistoryEvent,
  presentVersions,
  readHistory,
  recordEvent,
  type VersionRecord,
} from './history.js'
import { withMigrationLock } from './lock.js'
import { chooseScript, type Direction, type Migration } from './migration.js'
import { factsAbout, readSituation } from './run.js'
import { parseScript } from './statements.js'
import { statementChecksum } from './step-run.js'

/** What a person found out about a migration that is half done. */
export type Finding =
  /** The statements before this one took effect, this one and those after it did not. */
  | { readonly resumeAt: number }
  /** All of it took effect, or none of it is left: the history says so from now on. */
  | { readonly nowIs: 'applied' | 'reverted' }

export interface RepairResult {
  readonly version: number
  readonly name: string
  /** The command that goes on from here. */
  readonly next: string
}

/**
 * Writes into the history what a person found out about a half-done migration.
 *
 * Touches nothing but the history. Only a migration outside a transaction can be half
 * done, so there is nothing to repair about any other.
 *
 * @throws UsageError when the version is not half done, or has no such statement.
 */
export async function repairMigration(
  database: Database,
  pack: Pack,
  version: number,
  finding: Finding,
  context: RunContext,
  lockTimeoutMs = 60_000,
): Promise<RepairResult> {
  const lock = { schema: pack.schema, timeoutMs: lockTimeoutMs }
  return withMigrationLock(database.sql, lock, context, async (session) => {
    const record = halfDone(await readHistory(session, pack), version)
    const { migrations } = await readSituation(database, pack)
    const migration = migrations.find((one) => one.version === version)
    const event = await asEvent(database, record, migration, finding)
    await recordEvent(session, await factsAbout(session, pack), event)
    return { version, name: record.name, next: nextCommand(record, finding) }
  })
}

function halfDone(events: readonly HistoryEvent[], version: number): VersionRecord {
  const present = presentVersions(foldHistory(events))
  const record = present.find((one) => one.version === version)
  if (record?.state === 'stopped' || record?.state === 'unknown') return record
  const others = present.filter((one) => one.state === 'stopped' || one.state === 'unknown').map((one) => one.version)
  throw new UsageError(`version ${version} is not half done, so there is nothing to repair`, {
    code: 'nothing_to_repair',
    hint:
      others.length > 0
        ? `Name version ${others.join(' or ')}.`
        : 'Run obs migrate status to see where the database stands.',
    details: { version, half_done: others },
  })
}

async function asEvent(
  database: Database,
  record: VersionRecord,
  migration: Migration | undefined,
  finding: Finding,
): Promise<HistoryEvent> {
  if ('nowIs' in finding) return asSettled(database, record, migration, finding.nowIs)
  const checksums = await statementChecksums(database, record, migration)
  const limit = checksums.length + 1
  if (finding.resumeAt < 1 || finding.resumeAt > limit) {
    throw new UsageError(`${record.name} has no statement ${finding.resumeAt}`, {
      code: 'unknown_statement',
      hint: `Name a number from 1 to ${limit} with --resume-at; ${limit} means that all of them ran.`,
      details: { version: record.version, statements: checksums.length },
    })
  }
  const done = checksums.slice(0, finding.resumeAt - 1)
  return event(record, record.direction, 'settled', finding.resumeAt, { done })
}

/** What is applied now is what the file says now; it may have been mended, or been on its way down. */
async function asSettled(
  { platform }: Database,
  record: VersionRecord,
  migration: Migration | undefined,
  nowIs: 'applied' | 'reverted',
): Promise<HistoryEvent> {
  const up = nowIs === 'applied' && migration ? chooseScript(migration.up, platform.name) : undefined
  const checksum = up ? await checksumOf(up) : record.checksum
  const { variant } = up ?? record
  return event({ ...record, checksum, variant }, nowIs === 'applied' ? 'up' : 'down', 'applied', null, null)
}

async function statementChecksums(
  { platform }: Database,
  record: VersionRecord,
  migration: Migration | undefined,
): Promise<readonly string[]> {
  const script = migration && chooseScript(migration[record.direction], record.variant)
  if (!script || script.run) return ['']
  const { parsed } = await parseScript(script, platform.serverVersion)
  return parsed.statements.map(statementChecksum)
}

function event(
  { version, name, checksum, variant }: VersionRecord,
  direction: Direction,
  state: EventState,
  statement: number | null,
  receipt: unknown,
): HistoryEvent {
  const now = new Date()
  return {
    version,
    name,
    direction,
    checksum,
    variant,
    state,
    in_transaction: false,
    started_at: now,
    finished_at: now,
    duration_ms: 0,
    statement,
    error: null,
    backup_id: null,
    receipt,
    script: null,
    remark: 'settled by obs migrate repair',
  }
}

function nextCommand({ version, direction }: VersionRecord, finding: Finding): string {
  if ('nowIs' in finding) return 'obs migrate status'
  return direction === 'up' ? 'obs migrate up' : `obs migrate down --to ${version - 1}`
}

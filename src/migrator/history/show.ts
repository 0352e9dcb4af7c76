import { z } from 'zod'
import type { Database } from '../../database/connect.js'
import type { PlatformName } from '../../database/platform.js'
import { UsageError } from '../../errors.js'
import type { Pack } from '../../packs.js'
import type { Change } from '../checksum/difference.js'
import { discover } from '../files/discover.js'
import { chooseScript, type Declaration, declarationsOf, type Migration, type ScriptKind } from '../migration.js'
import type { PreservationReceipt } from '../preservation/receipt.js'
import { readSignedHistory, type SignedEvent } from './history.js'
import { type MigrationStatus, migrationStatus } from './status.js'

/** One time that a migration was applied or reverted, or that somebody tried to. */
export interface Attempt {
  readonly direction: SignedEvent['direction']
  /** `running` where it broke off, or is in progress. */
  readonly state: SignedEvent['state']
  readonly startedAt: Date
  readonly durationMs: number | null
  readonly who: string
  readonly host: string
  readonly obsVersion: string
  readonly checksum: string
  readonly inTransaction: boolean
  /** The statement it got to, from 1. */
  readonly statement: number | null
  readonly backupId: string | null
  readonly remark: string | null
  readonly error: string | null
  /** What was compared of the data that was there before; null where nothing was taken down. */
  readonly receipt: PreservationReceipt | null
}

/** All that is known of one migration. */
export interface ShownMigration {
  readonly pack: string
  readonly platform: string
  readonly status: MigrationStatus
  /** What the migration consists of; empty when its files are gone. */
  readonly files: readonly { readonly kind: ScriptKind; readonly file: string; readonly variant: string | null }[]
  /** What the files, in the form that was applied or would be, say about the way back. */
  readonly declared: readonly Declaration[]
  /** Oldest first. */
  readonly attempts: readonly Attempt[]
  /** How the file differs from what was applied. */
  readonly change: Change | null
}

/**
 * Gathers what the folder and the history know of one migration; reads only.
 *
 * @throws UsageError when neither knows the version.
 */
export async function showMigration(database: Database, pack: Pack, version: number): Promise<ShownMigration> {
  const { migrations, changes } = await migrationStatus(database, pack)
  const events = await readSignedHistory(database.sql, pack, version)
  const files = (await discover(pack.migrations)).find((one) => one.version === version)
  const status = migrations.find((one) => one.version === version) ?? reverted(events)
  if (!status) throw unknownVersion(version, migrations)
  return {
    pack: pack.name,
    platform: database.platform.name,
    status,
    files: files ? filesOf(files) : [],
    declared: files ? declaredBy(files, events, database.platform.name) : [],
    attempts: attemptsOf(events),
    change: changes.find((one) => one.migration === files?.id) ?? null,
  }
}

function filesOf(migration: Migration): ShownMigration['files'] {
  const kinds: readonly ScriptKind[] = ['up', 'down', 'verify']
  return kinds.flatMap((kind) => migration[kind].map(({ file, variant }) => ({ kind, file, variant })))
}

function declaredBy(
  { up, down }: Migration,
  events: readonly SignedEvent[],
  platform: PlatformName,
): readonly Declaration[] {
  const applied = events.findLast((event) => event.direction === 'up')
  const variant = applied ? applied.variant : platform
  return declarationsOf([chooseScript(up, variant), chooseScript(down, variant)])
}

/** A version that was reverted and whose files are gone is in the history alone. */
function reverted(events: readonly SignedEvent[]): MigrationStatus | undefined {
  const last = events.at(-1)
  if (!last) return undefined
  const { version, name } = last
  const nothing = { appliedAt: null, durationMs: null, reversible: false, stoppedAt: null }
  return { version, name, state: 'missing', ...nothing }
}

/**
 * An attempt outside a transaction leaves a row before each statement, and the last one
 * says what came of it.
 */
export function attemptsOf(events: readonly SignedEvent[]): readonly Attempt[] {
  const attempts = new Map<string, SignedEvent>()
  for (const event of events) attempts.set(`${event.direction} ${event.started_at.toISOString()} ${event.who}`, event)
  return [...attempts.values()].map((event) => ({
    direction: event.direction,
    state: event.state,
    startedAt: event.started_at,
    durationMs: event.duration_ms,
    who: event.who,
    host: event.host,
    obsVersion: event.obs_version,
    checksum: event.checksum,
    inTransaction: event.in_transaction,
    statement: event.statement,
    backupId: event.backup_id,
    remark: event.remark,
    error: event.error,
    receipt: receiptOf(event.receipt),
  }))
}

const receiptSchema = z.object({
  mode: z.enum(['hashes', 'counts', 'off']),
  tables: z.array(
    z.object({
      table: z.string(),
      rows_before: z.number(),
      rows_after: z.number().nullable(),
      columns_compared: z.number(),
      identical: z.boolean(),
      high_water: z.string().nullable(),
      identity: z.array(z.string()),
      columns: z.record(z.string(), z.string()),
      types: z.record(z.string(), z.string()).default({}),
      declared: z.array(z.string()),
      dropped: z.array(z.string()),
    }),
  ),
})

/** A receipt of another form, as a newer obs may write it, is left out rather than misread. */
function receiptOf(receipt: unknown): PreservationReceipt | null {
  const parsed = receiptSchema.safeParse(receipt)
  return parsed.success ? parsed.data : null
}

function unknownVersion(version: number, migrations: readonly MigrationStatus[]): UsageError {
  const versions = migrations.map((one) => one.version)
  return new UsageError(`there is no migration with version ${version}`, {
    code: 'unknown_version',
    hint: versions.length === 0 ? 'Write one with obs migrate create.' : `Name one of ${versions.join(', ')}.`,
    details: { version, versions },
  })
}

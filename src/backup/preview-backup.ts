import { type Database, type Session, withSession, withTransaction } from '../database/connect.js'
import { codeOf } from '../errors.js'
import { chooseScope, type Reach } from './choose-scope.js'
import { type CreateBackupOptions, decide } from './create-backup.js'
import { compressedShare } from './disk-space.js'
import type { EngineName, ScopeName } from './manifest.js'
import type { Scope, TableName } from './scope.js'

/** A backup as it would be made now. */
export interface BackupPreview {
  readonly scope: ScopeName
  /** Why so much. */
  readonly scopeReason: string
  /** The tables of the scope `tables`; what they reference comes with them. */
  readonly tables: readonly TableName[]
  readonly engine: EngineName
  /** Why this engine. */
  readonly reason: string
  readonly directory: string
  /** Bytes of the tables of the scope on the server; null when somebody holds a lock that hides them. */
  readonly tableBytes: number | null
  /** Bytes of the backup at most, as compressed rows go; null with `tableBytes`. */
  readonly estimatedBytes: number | null
}

export interface WantedBackup extends CreateBackupOptions {
  /** What a person asked for; chosen by size unless given. */
  readonly mode?: ScopeName
}

/**
 * Says how `createBackup` would go about it, without writing anything.
 *
 * @throws UsageError when no engine can dump this server.
 */
export async function previewBackup(
  database: Database,
  options: WantedBackup,
  reach: () => Promise<Reach>,
): Promise<BackupPreview & { readonly chosen: Scope }> {
  const { choice } = await decide(database, options)
  const sizes = await sizesOfTables(database)
  const { scope, reason } = chooseScope({
    wanted: options.mode,
    tableBytes: sizes && total(sizes),
    reach: await reach(),
  })
  const tableBytes = sizes && total(sizes.filter((table) => isIn(scope, table)))
  const estimatedBytes = tableBytes === null ? null : Math.ceil(tableBytes * compressedShare.most)
  return {
    scope: scope.kind,
    scopeReason: reason,
    tables: scope.kind === 'tables' ? scope.tables : [],
    chosen: scope,
    ...choice,
    directory: options.directory,
    tableBytes,
    estimatedBytes,
  }
}

type TableSize = TableName & { readonly bytes: number }

function total(sizes: readonly TableSize[]): number {
  return sizes.reduce((sum, { bytes }) => sum + bytes, 0)
}

function isIn(scope: Scope, { schema, name }: TableName): boolean {
  if (scope.kind !== 'tables') return scope.kind === 'full'
  return scope.tables.some((table) => table.schema === schema && table.name === name)
}

/** The size of a table that somebody has locked exclusively cannot be asked for; a preview does not wait for it. */
async function sizesOfTables({ sql }: Database): Promise<readonly TableSize[] | null> {
  try {
    return await withSession(sql, (session) =>
      withTransaction(
        session,
        async () => {
          await session`set local lock_timeout to '500ms'`
          return readSizes(session)
        },
        'begin read only',
      ),
    )
  } catch (error) {
    if (codeOf(error) !== '55P03') throw error
    return null
  }
}

/** A partitioned table has the size of its partitions. */
function readSizes(session: Session): Promise<readonly TableSize[]> {
  return session<TableSize[]>`
    select n.nspname as schema, root.relname as name, sum(pg_table_size(c.oid))::bigint as bytes
    from pg_class c
    join pg_class root on root.oid = coalesce(pg_partition_root(c.oid), c.oid)
    join pg_namespace n on n.oid = root.relnamespace
    where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    group by 1, 2`
}

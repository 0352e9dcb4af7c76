import type { RunContext } from '../../context.js'
import { parseDatabaseUrl, type ServerAddress } from '../../database/address.js'
import { withBorrowedScratch } from '../../database/borrowed-scratch.js'
import type { Database } from '../../database/connect.js'
import type { InstalledExtension } from '../../database/extensions.js'
import { listSchemas } from '../../database/schemas.js'
import { withScratchDatabase } from '../../database/scratch.js'
import { ObsError, UsageError } from '../../errors.js'
import { type Rebuild, rebuild } from '../../migrator/scratch/rebuild.js'
import { type SchemaSnapshot, takeSnapshot } from '../../schema/snapshot.js'
import { booksOf, schemasOfPack } from './flags.js'

/** Where migrations can be run without touching anything that matters. */
export interface ScratchPlace {
  /** The server that a scratch database is made on. */
  readonly server: ServerAddress
  /** The URL of an empty database to use instead. */
  readonly borrowed: string | undefined
}

/** What migrations make of an empty database. */
export interface BuiltSchema {
  readonly snapshot: SchemaSnapshot
  /** The schema of the pack and those that its migrations made. */
  readonly schemas: readonly string[]
}

/**
 * Runs migrations in a scratch database, reads all that they made and leaves nothing behind.
 *
 * `existing` are the extensions of the database it is compared with.
 *
 * @throws UsageError when a migration changes more than its database and the server is not one to experiment on.
 */
export async function buildSchema(
  place: ScratchPlace,
  plan: Rebuild,
  existing: readonly InstalledExtension[],
  context: RunContext,
): Promise<BuiltSchema> {
  if (place.borrowed === undefined) refuseBeyond(plan)
  return withScratch(place, context, async (scratch) => {
    const unasked = await rebuild(scratch, plan, existing, quietly(context))
    const schemas = schemasOfPack(plan.pack, await listSchemas(scratch.sql))
    const { objects, serverVersion } = await takeSnapshot(
      scratch,
      [...new Set(['public', ...schemas])],
      booksOf(plan.pack),
    )
    const asked = objects.filter(({ kind, identity }) => kind !== 'extension' || !unasked.has(unquoted(identity)))
    return { snapshot: { objects: asked, serverVersion }, schemas }
  })
}

/** What happens in the scratch database is not what the person asked about. */
function quietly({ progress, signal }: RunContext): RunContext {
  return {
    progress: {
      step() {},
      advance: (done, total, unit) => progress.advance(done, total, unit),
      warn: (text) => progress.warn(text),
    },
    signal,
  }
}

async function withScratch<T>(
  { server, borrowed }: ScratchPlace,
  context: RunContext,
  work: (scratch: Database) => Promise<T>,
): Promise<T> {
  context.progress.step('running the migrations in a scratch database')
  if (borrowed !== undefined) return withBorrowedScratch(parseDatabaseUrl(borrowed, '--scratch'), context, work)
  return withScratchDatabase(server, context, work).catch((error: unknown) => {
    if (!(error instanceof ObsError) || error.code !== 'no_scratch_database') throw error
    throw new ObsError(error.message, {
      code: error.code,
      cause: error,
      hint: 'Name an empty database with --scratch, or grant the role createdb; nothing was changed.',
    })
  })
}

/** Roles, tablespaces and settings of databases are shared by all databases of a server. */
function refuseBeyond({ beyond }: Rebuild): void {
  const [first] = beyond
  if (!first) return
  const statement = first.statement.split('\n')[0] ?? ''
  throw new UsageError(`${first.migration} changes more than its own database: ${statement}`, {
    code: 'beyond_database',
    hint: 'Name an empty database on a server to experiment on with --scratch; nothing was changed.',
    details: { statements: beyond },
  })
}

function unquoted(identity: string): string {
  return identity.replace(/^"|"$/g, '').replaceAll('""', '"')
}

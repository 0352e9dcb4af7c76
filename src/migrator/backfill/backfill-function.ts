import type { Kysely } from 'kysely'
import type { Session } from '../../database/connect.js'

/** What a migration in TypeScript asks `backfill` for. */
export interface BackfillOptions {
  /** `users`, or `schema.users`; without a schema it is looked for in that of the pack. */
  readonly table: string
  /** The column, or the columns, of a btree index, in its order; none of them may be null. */
  readonly key: string | readonly string[]
  /** Rows of the table in one batch; 5000 unless it is said. */
  readonly batch?: number
  /** How long to wait between two batches: milliseconds, or a time such as `50ms`; not at all unless it is said. */
  readonly pause?: number | string
  /** Tells two backfills of one migration apart; the name of the table unless it is said. */
  readonly name?: string
  /** Does one batch. It runs in a transaction that is committed together with how far the backfill has come. */
  readonly update: (environment: BatchEnvironment, batch: Batch) => Promise<unknown>
}

/** What one batch is given to work with; both are the session of its transaction. */
export interface BatchEnvironment {
  readonly sql: Session
  // biome-ignore lint/suspicious/noExplicitAny: a migration may name any tables it likes.
  readonly db: Kysely<any>
}

/** A piece of SQL to put into a query of the same session. */
export type Fragment = ReturnType<Session['unsafe']>

/**
 * The rows of one batch. All of it is SQL with the types of the key, because a value that
 * passes through JavaScript loses the microseconds of a timestamp.
 */
export interface Batch {
  /** All there is to say: ``sql`update users set … where ${batch.where}` ``. */
  readonly where: Fragment
  /** The exclusive lower bound, to stand on the right: ``id > ${batch.after}``; for several columns a row. */
  readonly after: Fragment
  /** The inclusive upper bound, to stand on the right: ``id <= ${batch.upTo}``. */
  readonly upTo: Fragment
  /** What `where` says, as text, for Kysely's `sql.raw`. */
  readonly condition: string
}

/** What a backfill did, over all runs that it took. */
export interface BackfillResult {
  /** Rows of the table that it passed. */
  readonly rows: number
  readonly batches: number
}

/** Walks through a table batch by batch; goes on where an earlier run of the migration was ended. */
export type BackfillFunction = (options: BackfillOptions) => Promise<BackfillResult>

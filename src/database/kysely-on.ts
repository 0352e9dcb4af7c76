import { type Driver, Kysely, type TransactionSettings } from 'kysely'
import { PostgresJSDialect } from 'kysely-postgres-js'
import type { Session, Sql } from './connect.js'

/**
 * A Kysely whose queries all run on one session that is held already.
 *
 * Kysely would reserve and release a connection; whoever holds the session gives it back.
 */
export function kyselyOn<Tables = unknown>(session: Session): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: dialectOn(session) })
}

/**
 * The same inside a transaction that somebody else began and will end.
 *
 * `db.transaction()` becomes a savepoint: PostgreSQL would meet a second `begin` with a
 * warning only, and the `commit` after it would end the outer transaction.
 */
export function kyselyInTransaction<Tables = unknown>(session: Session): Kysely<Tables> {
  const dialect = dialectOn(session)
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createDriver: () => withSavepoints(dialect.createDriver(), session),
      createIntrospector: (db) => dialect.createIntrospector(db),
      createQueryCompiler: () => dialect.createQueryCompiler(),
    },
  })
}

function withSavepoints(driver: Driver, session: Session): Driver {
  let depth = 0
  const leave = async (sql: (savepoint: string) => string) => {
    await session.unsafe(sql(`obs_kysely_${depth}`))
    depth -= 1
  }
  return Object.assign(driver, {
    beginTransaction: async (_connection: unknown, { isolationLevel, accessMode }: TransactionSettings) => {
      if (isolationLevel || accessMode) throw new Error(fixedMode)
      depth += 1
      await session.unsafe(`savepoint obs_kysely_${depth}`)
    },
    commitTransaction: () => leave((savepoint) => `release savepoint ${savepoint}`),
    rollbackTransaction: () =>
      leave((savepoint) => `rollback to savepoint ${savepoint}; release savepoint ${savepoint}`),
  })
}

const fixedMode = 'a migration runs in a transaction already, whose mode is fixed; call db.transaction() without one'

function dialectOn(session: Session): PostgresJSDialect {
  const unsafe: Session['unsafe'] = (text, values) => session.unsafe(text, values)
  const held = { unsafe, release: () => undefined }
  const pool = { reserve: async () => held } as unknown as Sql
  return new PostgresJSDialect({ postgres: async () => pool })
}

import { expect, vi } from 'vitest'
import { quietContext } from '../../src/context.js'
import { withDatabase, withSession } from '../../src/database/connect.js'
import { migrateUp } from '../../src/migrator/run/up.js'
import type { Pack } from '../../src/packs.js'
import type { TestDatabase } from './database.js'

const context = quietContext()

/**
 * Runs `up` while `holding` keeps a transaction open, cuts its connection as soon as the
 * server waits in the middle of `statement`, and gives back what `up` threw.
 */
export async function crashIn(db: TestDatabase, pack: Pack, statement: string, holding: string): Promise<unknown> {
  return withSession(db.sql, async (holder) => {
    await holder`begin`
    await holder.unsafe(holding)
    const run = withDatabase(db.address, context, (mine) => migrateUp(mine, pack, { preserve: 'off' }, context))
    const failed = run.catch((error: unknown) => error)
    await cutWhenWaiting(db, statement)
    const error = await failed
    await holder`rollback`
    await untilOver(db, statement)
    return error
  })
}

async function cutWhenWaiting(db: TestDatabase, statement: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const [row] = await db.sql`
        select pg_terminate_backend(pid) as cut from pg_stat_activity
        where datname = current_database() and query ilike ${`${statement}%`} and wait_event_type = 'Lock'`
      expect(row).toEqual({ cut: true })
    },
    { timeout: 20_000, interval: 20 },
  )
}

async function untilOver({ sql }: TestDatabase, statement: string): Promise<void> {
  await vi.waitFor(async () => {
    const rows = await sql`
      select from pg_stat_activity
      where datname = current_database() and query ilike ${`${statement}%`} and state = 'active'`
    expect(rows).toHaveLength(0)
  })
}

import { describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import { backupDirectory, freshAddress, inDatabase } from '../support/backups.js'
import { testDatabase } from '../support/database.js'

const count = 1500

describe('a database of many tables', () => {
  it('comes back whole, table for table', async () => {
    const source = await testDatabase()
    await source.sql.unsafe(`
      do $$ begin
        for n in 1..${count} loop
          execute format('create table t_%s (id int primary key, name text)', n);
          execute format('insert into t_%s values (%s, %L)', n, n, n);
          if n % 100 = 0 then commit; end if;
        end loop;
      end $$`)
    const directory = await backupDirectory()
    const backup = await createBackup(source, { directory, engine: 'built-in' }, quietContext())
    expect(backup.manifest.tables).toHaveLength(count)
    const to = freshAddress()
    const result = await restoreBackup({ directory, id: backup.id, to }, quietContext())
    expect(result).toMatchObject({ tables: count, rows: count, verified: true })
    const last = `t_${count}`
    await inDatabase(to, async ({ sql }) => {
      const keys = await sql`
        select count(*) as n from pg_constraint where contype = 'p' and connamespace = 'public'::regnamespace`
      expect(keys).toEqual([{ n: count }])
      expect(await sql.unsafe(`select id, name from ${last}`)).toEqual([{ id: count, name: String(count) }])
    })
  }, 180_000)
})

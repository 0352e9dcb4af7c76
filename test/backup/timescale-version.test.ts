import { expect, it } from 'vitest'
import { requireVersion } from '../../src/backup/restore-native.js'
import type { Sql } from '../../src/database/connect.js'
import { testDatabase } from '../support/database.js'

/** What `create extension timescaledb` writes into the catalog; its code is not needed to be asked for its version. */
async function pretendTimescale(sql: Sql, version: string): Promise<void> {
  await sql`
    insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    select 4000000, 'timescaledb', oid, 'public'::regnamespace, false, ${version} from pg_roles where rolname = current_user`
}

it('takes a target that has the TimescaleDB of the backup', async () => {
  const { sql } = await testDatabase()
  await pretendTimescale(sql, '2.23.0')
  await expect(requireVersion(sql, '2.23.0')).resolves.toBeUndefined()
})

it('refuses a target that has another TimescaleDB, names both, and says how to go on', async () => {
  const { sql } = await testDatabase()
  await pretendTimescale(sql, '2.9.1')
  await expect(requireVersion(sql, '2.23.0')).rejects.toMatchObject({
    code: 'extension_version',
    exitCode: 1,
    message: 'the backup is of TimescaleDB 2.23.0, and the target has 2.9.1',
    hint: expect.stringMatching(/^Install TimescaleDB 2\.23\.0 there, restore, and update it afterwards/),
    details: { extension: 'timescaledb', backup: '2.23.0', target: '2.9.1' },
  })
})

it('refuses a target where no TimescaleDB is installed or to be had', async () => {
  const { sql } = await testDatabase()
  const [there] = await sql`select from pg_available_extensions where name = 'timescaledb'`
  expect(there).toBeUndefined()
  await expect(requireVersion(sql, '2.23.0')).rejects.toMatchObject({
    code: 'extension_version',
    message: expect.stringMatching(/the target has none$/),
  })
})

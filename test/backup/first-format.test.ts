import { cp } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { listBackups } from '../../src/backup/list-backups.js'
import { engines } from '../../src/backup/manifest.js'
import { proveByRestoring } from '../../src/backup/prove-backup.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { verifyBackup } from '../../src/backup/verify-backup.js'
import { backupDirectory, freshAddress, inDatabase, nativeObstacle, toolsOf, warnedOf } from '../support/backups.js'
import { onServer, serverAddress } from '../support/database.js'

/** Backups as obs 0.1 wrote them, of one database on PostgreSQL 15: `format_version` 1, no hashes of rows. */
const kept = fileURLToPath(new URL('first-format', import.meta.url))
const ids = {
  'built-in': '20261130T074322Z-obs_test_4a25f490df28',
  native: '20261130T074329Z-obs_test_4a25f490df28',
} as const

/** The rows that were backed up. */
const pets = `
  select g as id, 1 + g % 2 as owner, (array['cat', 'dog', null])[1 + g % 3] as kind,
         nullif(repeat(E'a\\tb\\\\\\n', g % 4), '') as note, date '2020-02-29' + g as born, g * 2 as twice
  from generate_series(1, 40) g order by 1`

describe.each(engines)('a backup of the %s engine of obs 0.1', (engine) => {
  it('is listed, checked, brought back and proven as any other, without a warning', async ({ skip }) => {
    if (engine === 'native') skip(...(await inDatabase(serverAddress(), nativeObstacle)))
    const directory = await backupDirectory()
    await cp(kept, directory, { recursive: true })
    const id = ids[engine]
    const { context, warnings } = warnedOf()
    expect((await listBackups(directory)).find((one) => one.id === id)).toMatchObject({
      ...{ state: 'complete', engine, scope: 'full', encryption: 'none', rows: 42, proof: { level: 'hashed' } },
    })
    expect(await verifyBackup(directory, id)).toMatchObject({ verified: true })

    const to = freshAddress()
    const options = { directory, id, to, noOwner: true, ...toolsOf(engine).restore }
    expect(await restoreBackup(options, context)).toMatchObject({ tables: 3, rows: 42, verified: true })
    await inDatabase(to, async ({ sql }) => {
      const expected = await onServer((server) => server.unsafe(pets))
      expect([...(await sql`select * from app.pet order by id`)].map(plain)).toEqual([...expected].map(plain))
      expect(await sql`select name from app.owner order by id`).toEqual([{ name: 'Ada' }, { name: `it's "Bo"` }])
      expect(await sql`select nextval('app.ticket')::int as n`).toEqual([{ n: 9 }])
      await expect(sql`insert into app.pet (id, kind) values (99, 'cow')`).rejects.toMatchObject({ code: '23514' })
    })

    await proveByRestoring({ directory, id, on: serverAddress(), by: 'verify', ...toolsOf(engine).restore }, context)
    expect((await listBackups(directory)).find((one) => one.id === id)).toMatchObject({ proof: { level: 'restored' } })
    expect(warnings.filter((text) => !/lacks the roles/.test(text))).toEqual([])
  })
})

function plain(row: Record<string, unknown>): Record<string, unknown> {
  return { ...row }
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { engines } from '../../src/backup/manifest.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import { catalogHash, readCatalog } from '../../src/database/catalog.js'
import type { Database } from '../../src/database/connect.js'
import { count, seedSmall } from '../generators/seeding.js'
import {
  backupDirectory,
  fingerprints,
  freshAddress,
  inDatabase,
  nativeObstacle,
  sequencesOf,
  toolsOf,
} from '../support/backups.js'
import { openTestDatabase } from '../support/database.js'
import { installObservability } from '../support/observability.js'

const schemas = ['public', 'obs']
let source: Awaited<ReturnType<typeof openTestDatabase>>

/** The observability schema with three months in it: partitions, rollups, spans and the records of the run. */
beforeAll(async () => {
  source = await openTestDatabase()
  await installObservability(source.sql)
  await seedSmall(source, { days: 90, scale: 0.01, spans: true })
})
afterAll(() => source.close())

describe.each(engines)('a backup of the %s engine of ninety seeded days', (engine) => {
  it('comes back with the same schema, rows and sequences, and is not restored over itself', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const directory = await backupDirectory()
    const backup = await createBackup(source, { directory, engine, ...toolsOf(engine).dump }, quietContext())
    expect(backup.manifest.rows).toBeGreaterThan(await count(source.sql, 'traces'))
    expect(await count(source.sql, 'spans')).toBeGreaterThan(0)

    const to = freshAddress()
    const restore = () => restoreBackup({ directory, id: backup.id, to, ...toolsOf(engine).restore }, quietContext())
    expect(await restore()).toMatchObject({ database: to.database, rows: backup.manifest.rows, verified: true })
    const restored = await inDatabase(to, stateOf)
    expect(restored).toEqual(await stateOf(source))
    expect(restored.catalogHash).toBe(backup.manifest.catalog_hash)
    await expect(restore()).rejects.toMatchObject({
      code: 'target_not_empty',
      exitCode: 2,
      details: { database: to.database },
    })
    expect((await inDatabase(to, stateOf)).rows).toEqual(restored.rows)
  })
})

/** Everything that has to be the same again. */
async function stateOf({ sql }: Database) {
  const catalog = await readCatalog(sql, schemas)
  return {
    catalog,
    catalogHash: catalogHash(catalog),
    rows: await fingerprints(sql),
    sequences: await sequencesOf(sql),
  }
}

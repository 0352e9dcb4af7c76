import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { engines } from '../../src/backup/manifest.js'
import { restoreBackup } from '../../src/backup/restore-backup.js'
import { quietContext } from '../../src/context.js'
import type { Sql } from '../../src/database/connect.js'
import { backupDirectory, freshAddress, inDatabase, nativeObstacle, toolsOf } from '../support/backups.js'
import { openTestDatabase } from '../support/database.js'

const MiB = 1024 * 1024
let source: Awaited<ReturnType<typeof openTestDatabase>>

/** Values of 50 MiB that hardly compress, and that COPY writes twice as long: as hexadecimal digits, and with escapes. */
beforeAll(async () => {
  source = await openTestDatabase()
  await source.sql.unsafe(`
    create table huge (id int primary key, words text, bytes bytea);
    alter table huge alter column words set storage external, alter column bytes set storage external;
    create temporary table part as
    select translate(string_agg(md5(g::text), ''), 'f', E'\\\\') as part from generate_series(1, 32768) g;
    insert into huge select 1, repeat(part, 50), '' from part;
    insert into huge select 2, null, convert_to(repeat(reverse(part), 50), 'UTF8') from part`)
})
afterAll(() => source.close())

describe.each(engines)('a value of 50 MB in a backup of the %s engine', (engine) => {
  it('comes back byte by byte, and memory does not grow by more than a few of its kind', async ({ skip }) => {
    if (engine === 'native') skip(...(await nativeObstacle(source)))
    const directory = await backupDirectory()
    const to = freshAddress()
    const growth = await growthDuring(async () => {
      const backup = await createBackup(source, { directory, engine, ...toolsOf(engine).dump }, quietContext())
      await restoreBackup({ directory, id: backup.id, to, ...toolsOf(engine).restore }, quietContext())
    })
    const expected = await digests(source.sql)
    expect(expected).toMatchObject([
      { id: 1, length: 50 * MiB, size: 0 },
      { id: 2, length: null, size: 50 * MiB },
    ])
    expect(await inDatabase(to, ({ sql }) => digests(sql))).toEqual(expected)
    // A row passes as a whole, bytes are written as twice as many digits, and what was passed on is freed when it suits V8.
    expect(growth).toBeLessThan(1024 * MiB)
  }, 120_000)
})

/** What tells one value from another without bringing it here. */
function digests(sql: Sql) {
  return sql<{ id: number; length: number | null; size: number; words: string | null; bytes: string }[]>`
    select id, octet_length(words) as length, octet_length(bytes) as size, md5(words) as words, md5(bytes) as bytes
    from huge order by id`
}

/** How many bytes this process took in addition, at most. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 10)
  try {
    await work()
  } finally {
    clearInterval(watch)
  }
  return most - before
}

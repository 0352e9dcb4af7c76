import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createBackup } from '../../src/backup/create-backup.js'
import { splitNames } from '../../src/backup/database-traits.js'
import { discardDatabase, keptDatabases, putInPlace } from '../../src/backup/kept-databases.js'
import { type ReplacedDatabase, restoreBackup } from '../../src/backup/restore-backup.js'
import { datedName } from '../../src/backup/swap-databases.js'
import { quietContext, type RunContext } from '../../src/context.js'
import { type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { withDatabase } from '../../src/database/connect.js'
import { quoteIdentifier } from '../../src/database/quote.js'
import { UsageError } from '../../src/errors.js'
import { Secret } from '../../src/secret.js'
import { databaseNames, expectNothingRestored, inDatabase } from '../support/backups.js'
import { onServer, testDatabase, testTemplate } from '../support/database.js'

const context = quietContext()
const role = `obs_test_replace_${process.pid}`
const yes = async () => undefined

let directory: string
let template: Awaited<ReturnType<typeof testTemplate>>

/** A backup of three pets, and a template in which one of them is left. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'obs-replace-'))
  template = await testTemplate(async (database) => {
    await database.sql.unsafe('create table pet (name text); insert into pet values (1), (2), (3)')
    await createBackup(database, { directory, engine: 'built-in' }, context)
    await database.sql.unsafe('delete from pet where name <> $$1$$')
  })
  await onServer((sql) => sql.unsafe(`create role ${role} login password 'it'`))
})
afterAll(async () => {
  await template.drop()
  await onServer((sql) => sql.unsafe(`drop role ${role}`))
  await rm(directory, { recursive: true, force: true })
})

async function damagedDatabase(name?: string): Promise<ServerAddress> {
  const { address } = await testDatabase(template.name)
  await endSessions(address)
  const to = name === undefined ? address : withDatabaseName(address, name)
  if (name !== undefined)
    await onServer((sql) =>
      sql.unsafe(`alter database ${quoteIdentifier(address.database)} rename to ${quoteIdentifier(name)}`),
    )
  onTestFinished(async () => {
    for (const one of await databaseNames()) {
      if (one.startsWith(to.database))
        await onServer((sql) => sql.unsafe(`drop database ${quoteIdentifier(one)} with (force)`))
    }
  })
  return to
}

function endSessions({ database }: ServerAddress) {
  return onServer((sql) => sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database}`)
}

const pets = (to: ServerAddress, database = to.database) =>
  inDatabase(withDatabaseName(to, database), async ({ sql }) => (await sql`select from pet`).length)

function replace(
  to: ServerAddress,
  confirm: (replaced: ReplacedDatabase) => Promise<void> = yes,
  run: RunContext = context,
) {
  return restoreBackup({ directory, id: 'latest', to, replace: confirm }, run)
}

describe('restoreBackup with replace', () => {
  it('takes the place of a database, which is kept as it was, and goes back to it', async () => {
    const to = await damagedDatabase()
    const { kept } = await replace(to)
    expect(kept).toMatch(new RegExp(`^${to.database}_replaced_\\d{8}T\\d{6}Z$`))
    expect([await pets(to), await pets(to, kept ?? '')]).toEqual([3, 1])

    const back = await putInPlace(to, kept ?? '', yes, context)
    expect([await pets(to), await pets(to, back.kept ?? '')]).toEqual([1, 3])
    expect(await keptDatabases(to, context)).toContainEqual({ name: back.kept, bytes: expect.any(Number) })
    await discardDatabase(to, back.kept ?? '', yes, context)
    expect(await databaseNames()).not.toContain(back.kept)
  })

  it('can be done again, and what was there is kept each time', async () => {
    const to = await damagedDatabase()
    const first = await replace(to)
    await inDatabase(to, ({ sql }) => sql`delete from pet where name in ('2', '3')`)
    await inDatabase(to, ({ sql }) => sql`insert into pet select g::text from generate_series(1, 6) g`)
    // The names of what is put aside tell seconds apart.
    await sleep(1000)
    const second = await replace(to)
    expect(await pets(to)).toBe(3)
    expect([await pets(to, first.kept ?? ''), await pets(to, second.kept ?? '')]).toEqual([1, 7])
  })

  it('tells a person what will happen, and does nothing when the answer is no', async () => {
    const to = await damagedDatabase()
    const seen: ReplacedDatabase[] = []
    const refusal = new UsageError('no')
    const refused = inDatabase(to, () =>
      replace(to, async (replaced) => {
        seen.push(replaced)
        throw refusal
      }),
    )
    await expect(refused).rejects.toBe(refusal)
    expect(seen).toMatchObject([{ database: to.database, contents: ['public.pet'], backupOf: template.name }])
    expect(seen[0]?.sessions).toBeGreaterThan(0)
    expect(await pets(to)).toBe(1)
    await expectNothingRestored()
  })

  it('ends the sessions that are connected, and lets nobody in between', async () => {
    const to = await damagedDatabase()
    const outcome = await withDatabase(to, context, async ({ sql }) => {
      await sql`select 1`
      const { kept } = await replace(to)
      const [row] = await sql`select count(*) as pets from pet`.catch(() => sql`select count(*) as pets from pet`)
      return { kept, row }
    })
    expect(outcome).toMatchObject({ kept: expect.any(String), row: { pets: 3 } })
  })

  it('carries owner, grants, settings, limit and comment over', async () => {
    const to = await damagedDatabase()
    const name = quoteIdentifier(to.database)
    await onServer((sql) =>
      sql.unsafe(`
        alter database ${name} connection limit 17;
        comment on database ${name} is 'it''s "live"';
        alter database ${name} set search_path to "$user", "odd, ""path", public;
        alter database ${name} set work_mem to '7MB';
        alter database ${name} set app.title to 'a ''b''; drop table pet';
        alter role ${role} in database ${name} set statement_timeout to '9s';
        revoke connect on database ${name} from public;
        grant connect, temporary on database ${name} to ${role} with grant option;
        alter database ${name} owner to ${role}`),
    )
    const traits = (database: string) =>
      onServer(
        (sql) => sql`
          select pg_get_userbyid(datdba) as owner, datconnlimit, shobj_description(d.oid, 'pg_database') as comment,
                 array(select acl::text from unnest(datacl) acl order by 1) as acl,
                 (select jsonb_agg(jsonb_build_array(setrole::regrole, setconfig) order by setrole) from pg_db_role_setting where setdatabase = d.oid) as settings
          from pg_database d where datname = ${database}`,
      )
    const before = await traits(to.database)
    const { kept } = await replace(to)
    const after = await traits(to.database)
    expect(after).toEqual(before)
    expect(before[0]).toMatchObject({ owner: role, datconnlimit: 17 })
    expect(await traits(kept ?? '')).toEqual(before)
  })

  it.each(['restoring rows', 'checking what was restored'])(
    'leaves the database as it was when it is interrupted at: %s',
    async (step) => {
      const to = await damagedDatabase()
      const controller = new AbortController()
      const progress = { ...context.progress, step: (text: string) => void (text === step && controller.abort()) }
      const run = replace(to, yes, { progress, signal: controller.signal })
      await expect(run).rejects.toMatchObject({ code: 'interrupted', message: expect.stringContaining('was undone') })
      expect(await pets(to)).toBe(1)
      await expectNothingRestored()
      expect((await databaseNames()).filter((name) => name.startsWith(`${to.database}_`))).toEqual([])
    },
  )

  it('keeps the restored database under a name of its own when the swap cannot be done, and swaps later', async () => {
    const to = await damagedDatabase()
    const holder = await testDatabase()
    const refused = await holder.sql
      .begin(async (session) => {
        await session.unsafe(`comment on database ${quoteIdentifier(to.database)} is 'busy'`)
        return replace(to).catch((error: unknown) => error)
      })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'cannot_swap', details: { live: to.database } })
    const { fresh } = (refused as { details: { fresh: string } }).details
    expect(fresh).toMatch(/_restored_\d{8}T\d{6}Z$/)
    expect([await pets(to), await pets(to, fresh)]).toEqual([1, 3])
    await putInPlace(to, fresh, yes, context)
    expect(await pets(to)).toBe(3)
  }, 90_000)

  it('says before anything is made why a database cannot be replaced', async () => {
    const to = await damagedDatabase()
    const mine = { ...to, user: role, password: new Secret('it') }
    await onServer((sql) => sql.unsafe(`grant connect on database ${quoteIdentifier(to.database)} to ${role}`))
    await expect(
      restoreBackup({ directory, id: 'latest', to: mine, replace: yes, noOwner: true }, context),
    ).rejects.toMatchObject({
      code: 'cannot_replace',
      exitCode: 2,
      details: { obstacles: expect.arrayContaining(['the role does not own it', 'the role may not create databases']) },
    })
    await expectNothingRestored()
  })

  it('takes a name with quotes, and one as long as names can be', async () => {
    const to = await damagedDatabase(`odd "name"; drop ü ${process.pid} ${'x'.repeat(30)}`)
    const { kept } = await replace(to)
    expect(Buffer.byteLength(kept ?? '')).toBeLessThanOrEqual(63)
    expect([await pets(to), await pets(to, kept ?? '')]).toEqual([3, 1])
    await onServer((sql) => sql.unsafe(`drop database ${quoteIdentifier(kept ?? '')} with (force)`))
  })

  it('is an ordinary restore where there is nothing to replace', async () => {
    const to = withDatabaseName(await damagedDatabase(), `obs_test_none_${process.pid}`)
    onTestFinished(() => onServer(async (sql) => void (await sql.unsafe(`drop database ${to.database} with (force)`))))
    expect(await replace(to)).toMatchObject({ kept: null })
    expect(await pets(to)).toBe(3)
  })
})

describe('discardDatabase', () => {
  it('drops nothing but what a restore made or put aside, and not while somebody is connected', async () => {
    const to = await damagedDatabase()
    for (const name of [to.database, 'postgres', template.name, "x'; drop database postgres"]) {
      await expect(discardDatabase(to, name, yes, context)).rejects.toMatchObject({ code: 'not_kept', exitCode: 2 })
    }
    const { kept } = await replace(to)
    await inDatabase(withDatabaseName(to, kept ?? ''), async ({ sql }) => {
      await sql`select 1`
      await expect(discardDatabase(to, kept ?? '', yes, context)).rejects.toMatchObject({ code: 'in_use' })
    })
    expect(await pets(to, kept ?? '')).toBe(1)
  })
})

describe('datedName', () => {
  it('never exceeds what PostgreSQL takes, nor cuts a character', () => {
    const name = datedName('ü'.repeat(31), 'replaced', new Date(0))
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
    expect(name).toMatch(/^ü+_replaced_19700101T000000Z$/)
  })
})

describe('splitNames', () => {
  it('takes a list of quoted and bare names apart', () => {
    expect(splitNames('"$user", public')).toEqual(['$user', 'public'])
    expect(splitNames('"a, ""b""",c')).toEqual(['a, "b"', 'c'])
    expect(splitNames('')).toEqual([''])
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quietContext } from '../../src/context.js'
import { type Check, nothingIn, passed, type Severity, skipped, violated } from '../../src/validators/check.js'
import type { CheckResult } from '../../src/validators/result.js'
import { type RowSource, rowCheck } from '../../src/validators/rows.js'
import { validate } from '../../src/validators/validate.js'
import { violationsCheck } from '../../src/validators/violations.js'
import { openTestDatabase } from '../support/database.js'

let db: Awaited<ReturnType<typeof openTestDatabase>>

beforeAll(async () => {
  db = await openTestDatabase()
  await db.sql.unsafe(`
    create schema "Zoo";
    create table "Zoo".pet (id int, name text, legs int, keeper int);
    create table "Zoo".keeper (id int primary key);
    create table "Zoo".cage (id int);
    insert into "Zoo".keeper values (1), (2);
    insert into "Zoo".pet select i, 'pet ' || i, case when i % 10 = 0 then -4 else 4 end, i % 4 from generate_series(1, 30) i`)
})

afterAll(() => db?.close())

const pets: RowSource<unknown, 'keeper'> = {
  rows: 'pets',
  from: 'pet p',
  key: 'p.id::text',
  joins: { keeper: () => 'left join keeper k on k.id = p.keeper' },
}

const facts = { id: 'x', severity: 'error', description: 'It hurts.', expected: 'all well' } as const
const legs = rowCheck({ ...facts, id: 'zoo.legs', source: pets, violates: 'p.legs < 0' })
const keeper = rowCheck({ ...facts, id: 'zoo.keeper', source: pets, joins: ['keeper'], violates: 'k.id is null' })
const broken = rowCheck({ ...facts, id: 'zoo.wings', source: pets, violates: 'p.wings < 0' })
const cages = rowCheck({
  ...facts,
  id: 'zoo.cages',
  source: { rows: 'cages', from: 'cage c', key: 'c.id::text', joins: {} },
  violates: 'c.id is null',
})

describe('a check', () => {
  it('passes when no row fails it', async () => {
    const named = rowCheck({ ...facts, source: pets, violates: `p.name = ''` })
    expect(await only(named)).toMatchObject({ status: 'passed', observed: '0 of 30 pets', rows_failing: 0, sample: [] })
  })

  it('counts failing rows and names up to five of them', async () => {
    expect(await only(legs)).toMatchObject({
      status: 'failed',
      observed: '3 of 30 pets',
      rows_failing: 3,
      sample: ['10', '20', '30'],
    })
    expect((await only(keeper)).sample).toHaveLength(5)
  })

  it('looks only at the rows it is about', async () => {
    const among = { condition: 'p.id <= 10', name: 'old pets' }
    const check = rowCheck({ ...facts, source: pets, among, violates: 'p.legs < 0' })
    expect(await only(check)).toMatchObject({ observed: '1 of 10 old pets', rows_failing: 1, sample: ['10'] })
  })

  it('is skipped, and not passed, when there is nothing to look at', async () => {
    expect(await only(cages)).toMatchObject({ status: 'skipped', reason: 'there are no cages', observed: null })
    const none = violationsCheck({
      ...facts,
      rows: 'cages',
      among: 'select count(*) from cage',
      sql: `select 'a' as key where false`,
    })
    expect(await only(none)).toMatchObject({ status: 'skipped', reason: 'there are no cages' })
  })

  it('fails with the reason when it cannot be carried out', async () => {
    const check = violationsCheck({
      ...facts,
      rows: 'moas',
      among: 'select count(*) from moa',
      sql: 'select id::text as key from moa',
    })
    expect(await only(check)).toMatchObject({
      status: 'failed',
      reason: 'could not be carried out: relation "moa" does not exist',
      rows_failing: null,
    })
  })

  it('fails, even as a warning, when it throws', async () => {
    const check: Check = { ...facts, severity: 'warning', run: () => Promise.reject(new Error('bug')) }
    expect(await only(check)).toMatchObject({
      status: 'failed',
      severity: 'warning',
      reason: 'could not be carried out: bug',
    })
  })

  it.each([
    ['error', 'failed'],
    ['warning', 'warned'],
    ['info', 'warned'],
  ] as const)('of severity %s that does not hold is %s', async (severity: Severity, status) => {
    const check: Check = { ...facts, severity, run: async () => violated('bad', 1, ['a']) }
    expect(await only(check)).toMatchObject({ status, observed: 'bad', rows_failing: 1, sample: ['a'] })
  })

  it('cannot write', async () => {
    const check: Check = {
      ...facts,
      run: async ({ session }) => {
        await session`delete from pet`
        return passed('gone')
      },
    }
    expect(await only(check)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('read-only transaction'),
    })
    expect(await db.sql`select count(*) as n from "Zoo".pet`).toEqual([{ n: 30 }])
  })

  it('is given up when a statement takes too long', async () => {
    const check: Check = {
      ...facts,
      run: async ({ session }) => {
        await session`select pg_sleep(30)`
        return passed('awake')
      },
    }
    const { checks } = await run([check], { statementTimeout: 100 })
    expect(checks[0]).toMatchObject({ status: 'failed', reason: expect.stringContaining('statement timeout') })
  })
})

describe('a run', () => {
  it('goes on behind a check that failed in the database', async () => {
    const { checks, summary } = await run([broken, legs, cages])
    expect(checks.map(({ id, status, reason }) => [id, status, reason])).toEqual([
      ['zoo.wings', 'failed', 'could not be carried out: column p.wings does not exist'],
      ['zoo.legs', 'failed', null],
      ['zoo.cages', 'skipped', 'there are no cages'],
    ])
    expect(summary).toEqual({ passed: 0, failed: 2, warned: 0, skipped: 1, duration_ms: expect.any(Number) })
  })

  it('reads a table once for all rules about its rows', async () => {
    const rules = [1, 2, 3, 4].map((n) =>
      rowCheck({ ...facts, id: `zoo.rule_${n}`, source: pets, violates: `p.id = -${n}` }),
    )
    const scans: Check = {
      ...facts,
      id: 'zoo.scans',
      run: async ({ session }) => {
        const [row] = await session`select seq_scan as n from pg_stat_xact_user_tables where relname = 'pet'`
        return passed(`${row?.['n']} scans`)
      },
    }
    const { checks } = await run([...rules, scans])
    expect(checks.map(({ status }) => status)).toEqual(Array(5).fill('passed'))
    expect(checks.at(-1)?.observed).toBe('1 scans')
  })

  it('asks each probe once', async () => {
    let asked = 0
    const probe = async () => {
      asked++
      return 7
    }
    const check = (id: string): Check => ({ ...facts, id, run: async ({ once }) => passed(String(await once(probe))) })
    const { checks } = await run([check('zoo.a'), check('zoo.b')])
    expect([asked, ...checks.map(({ observed }) => observed)]).toEqual([1, '7', '7'])
  })

  it('sees one state of the database from beginning to end', async () => {
    const count = async ({ session }: Parameters<Check['run']>[0]) => {
      const [row] = await session<{ n: number }[]>`select count(*) as n from cage`
      return passed(String(row?.n))
    }
    const meddle: Check = {
      ...facts,
      id: 'zoo.meddle',
      run: async (context) => {
        const seen = await count(context)
        await db.sql`insert into "Zoo".cage values (1)`
        return seen
      },
    }
    const { checks } = await run([meddle, { ...facts, id: 'zoo.count', run: count }])
    await db.sql`delete from "Zoo".cage`
    expect(checks.map(({ observed }) => observed)).toEqual(['0', '0'])
  })

  it('leaves no transaction open', async () => {
    await run([broken])
    const open = await db.sql`
      select from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%' and pid <> pg_backend_pid()`
    expect(open).toHaveLength(0)
  })

  it('ends with an interruption and no result when it is stopped', async () => {
    const stop = new AbortController()
    const check: Check = {
      ...facts,
      run: async () => {
        stop.abort()
        return passed('x')
      },
    }
    const interrupted = validate(db, [suite([check, legs])], { schema: 'Zoo', facts: {} }, quietContext(stop.signal))
    await expect(interrupted).rejects.toMatchObject({ exitCode: 130 })
  })

  it('does not take a lost connection for a finding', async () => {
    const check: Check = {
      ...facts,
      run: async ({ session }) => {
        const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`
        await db.sql`select pg_terminate_backend(${row?.pid ?? 0}, 5000)`
        await session`select 1`
        return passed('x')
      },
    }
    await expect(run([check])).rejects.toThrow()
  })

  it('tells its progress suite by suite', async () => {
    const said: string[] = []
    const progress = { step: (text: string) => said.push(text), advance() {}, warn() {} }
    await validate(
      db,
      [suite([legs]), { ...suite([keeper]), name: 'farm' }],
      { schema: 'Zoo', facts: {} },
      {
        progress,
        signal: new AbortController().signal,
      },
    )
    expect(said).toEqual(['checking zoo', 'checking farm'])
  })
})

it('reports nothing to do as skipped', async () => {
  const check: Check = { ...facts, run: async () => skipped('it is Sunday') }
  expect(await only(check)).toMatchObject({ status: 'skipped', reason: 'it is Sunday', rows_failing: null })
  expect(nothingIn(['a', 'b', 'c', 'd', 'e', 'f'], 'fine', (count) => `${count} wrong`)).toEqual({
    outcome: 'violated',
    observed: '6 wrong',
    rowsFailing: 6,
    sample: ['a', 'b', 'c', 'd', 'e'],
  })
})

function suite(checks: readonly Check[]) {
  return { name: 'zoo', description: 'animals', checks }
}

function run(checks: readonly Check[], options: { readonly statementTimeout?: number } = {}) {
  return validate(db, [suite(checks)], { schema: 'Zoo', facts: {}, ...options }, quietContext())
}

async function only(check: Check): Promise<CheckResult> {
  const { checks } = await run([check])
  if (!checks[0]) throw new Error('no result')
  return checks[0]
}

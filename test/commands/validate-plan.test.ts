import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli.js'
import type { CheckResult } from '../../src/validators/result.js'
import { openTestDatabase } from '../support/database.js'
import { takeDownOutput } from '../support/printed.js'

const plan = {
  tables: {
    readings: {
      rows: 6000,
      columns: {
        id: { generator: 'sequence' },
        kind: { generator: 'choice', values: { hot: 6, warm: 3, cold: 1 } },
        flag: { generator: 'boolean', share: 0.2, nulls: 0.25 },
        height: { generator: 'normal', mean: 170, deviation: 9 },
        price: { generator: 'log-normal', median: 40, sigma: 1, max: 900 },
        wait: { generator: 'exponential', mean: 30 },
        size: { generator: 'pareto', low: 10, exponent: 1.2, max: 100_000 },
        load: { generator: 'gamma', shape: 2, mean: 45 },
        rank: { generator: 'zipf', size: 50 },
        dice: { generator: 'integer', min: 1, max: 6 },
        at: { generator: 'timestamps', rhythm: 'business' },
        day: { generator: 'timestamps', order: 'random' },
      },
    },
  },
}

let database: Awaited<ReturnType<typeof openTestDatabase>>
let folder: string
const printed = takeDownOutput()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'obs-validate-plan-'))
  const packs = [{ name: 'lab', migrations: './migrations', seed: plan }]
  await writeFile(join(folder, 'obs.config.json'), JSON.stringify({ packs }))
  database = await openTestDatabase()
  await database.sql.unsafe(`
    create table readings (
      id bigserial primary key, kind text not null, flag boolean, height numeric(6, 2), price numeric(10, 2), wait real,
      size double precision, load numeric, rank integer, dice smallint, at timestamptz not null, day date)`)
  expect(await obs('seed', '--days', '30', '--as-of', '2026-10-01')).toBe(0)
  expect(await obs('seed', '--days', '5', '--as-of', '2026-11-01', '--append', '--seed', '7')).toBe(0)
})
afterAll(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})
afterEach(() => {
  process.exitCode = undefined
})

function obs(...args: readonly string[]): Promise<number> {
  const common = ['--config', join(folder, 'obs.config.json'), '--database-url', database.url, '--no-color']
  return main([...args, ...common])
}

async function checks(): Promise<Record<string, CheckResult>> {
  const before = printed.stdout.length
  await obs('validate', '--json')
  const { checks } = JSON.parse(printed.stdout.slice(before)) as { checks: CheckResult[] }
  return Object.fromEntries(checks.map((check) => [check.id, check]))
}

function statuses(results: Record<string, CheckResult>): Record<string, string> {
  return Object.fromEntries(
    Object.values(results).map(({ id, status }) => [id.replace('distribution.readings.', ''), status]),
  )
}

const columns = ['kind', 'flag', 'height', 'price', 'wait', 'size', 'load', 'rank', 'dice', 'at', 'day']
const content = { 'integrity.readings.rows': 'passed', ...Object.fromEntries(columns.map((name) => [name, 'passed'])) }

describe('obs validate on the tables of a plan', () => {
  it('finds every column of two runs spread as their generators declare', async () => {
    expect(statuses(await checks())).toEqual(content)
  })

  it('lists its checks with what the plan declares', async () => {
    expect(await obs('validate', 'distribution', '--list')).toBe(0)
    expect(printed.stdout).toMatch(
      /distribution\.readings\.flag +error +boolean of 2 values with their shares, 25 % null/,
    )
  })

  it.each([
    ['kind', `kind = 'warm' where kind = 'hot' and id % 8 = 0`],
    ['flag', `flag = false where flag is null and id % 2 = 0`],
    ['height', `height = height + 2`],
    ['price', `price = price * 1.15 where price < 700`],
    ['wait', `wait = wait * 0.9`],
    ['size', `size = 10 + (id % 100)`],
    ['load', `load = load + 4`],
    ['rank', `rank = 51 - rank`],
    ['dice', `dice = 6 where dice = 1 and id % 3 = 0`],
    ['at', `at = at + interval '5 hours'`],
    ['day', `day = day - 4 where id % 2 = 0`],
  ])('notices that %s is not what was declared', async (column, change) => {
    const name = `${column}_before`
    await database.sql.unsafe(
      `create table ${name} as select id, ${column} from readings; update readings set ${change}`,
    )
    expect(statuses(await checks())).toEqual({ ...content, [column]: 'failed' })
    await database.sql.unsafe(
      `update readings r set ${column} = b.${column} from ${name} b where b.id = r.id; drop table ${name}`,
    )
  })

  it('says that rows are gone, and judges no table in which others have written', async () => {
    await database.sql`insert into readings (kind, at) select 'mine', now() from generate_series(1, 10)`
    const others = await checks()
    expect(others['integrity.readings.rows']?.status).toBe('passed')
    expect(others['distribution.readings.kind']?.reason).toContain('12010 rows and its runs left 12000')
    await database.sql`delete from readings where kind = 'mine' or id <= 3`
    expect((await checks())['integrity.readings.rows']).toMatchObject({ status: 'failed', rows_failing: 3 })
  })
})

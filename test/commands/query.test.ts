import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli.js'
import { obsVersion } from '../../src/package.js'
import { openPreparedDatabase } from '../queries/support.js'
import { demoWorkspace } from '../support/observability.js'
import { takeDownOutput } from '../support/printed.js'

let database: Awaited<ReturnType<typeof openPreparedDatabase>>
const printed = takeDownOutput()

beforeAll(async () => {
  database = await openPreparedDatabase()
})

afterAll(() => database.close())

/** Runs the program as it is run from a shell. */
function obs(...args: readonly string[]): Promise<number> {
  return main(args)
}

function query(...args: readonly string[]): Promise<number> {
  return obs('query', ...args, '--database-url', database.url, '--no-color')
}

const paper = ['--workspace', 'paper', '--range', '2d', '--as-of', '2024-06-03T12:30:00Z'] as const

describe('obs query', () => {
  it('answers with a table', async () => {
    expect(await query('home-kpis', ...paper)).toBe(0)
    for (const part of [
      'home-kpis  2024-06-01 12:30 → 2024-06-03 12:30 UTC',
      '▲ +100.0 %',
      '50.00 %',
      '2,500 ms',
      'Requests per hour',
      'engineering',
      'rate_limit',
      '$0.6000',
    ]) {
      expect(printed.stdout).toContain(part)
    }
    expect(printed.stdout).not.toContain('\u001b')
    expect(printed.stderr).toMatch(/^warning: the period before begins .* a part of it\n$/)
  })

  it.each(['home-kpis', 'cost-by-department', 'intent-distribution', 'version-adoption', 'environment-parity'])(
    'draws %s within 100 columns',
    async (kpi) => {
      expect(await query(kpi, '--workspace', 'demo', '--from', '2024-05-05', '--to', '2024-06-05')).toBe(0)
      const widest = Math.max(...printed.stdout.split('\n').map((line) => [...line].length))
      expect(widest).toBeLessThanOrEqual(100)
      expect(printed.stdout.split('\n').length).toBeGreaterThan(8)
    },
  )

  it('answers with the envelope', async () => {
    expect(await query('home-kpis', ...paper, '--format', 'json')).toBe(0)
    const plain = JSON.parse(printed.stdout)
    printed.stdout = ''
    expect(await query('home-kpis', ...paper, '--json')).toBe(0)
    const json = JSON.parse(printed.stdout)
    expect(json).toEqual({
      ...plain,
      meta: { ...plain.meta, generated_at: expect.any(String), query_duration_ms: expect.any(Number) },
    })
    expect(json).toMatchObject({
      data: { requests: { value: 4 } },
      filters_applied: { range: '2d', to: '2024-06-03T12:30:00.000Z' },
    })
  })

  it('answers with one flat CSV table', async () => {
    expect(await query('cost-by-department', ...paper, '--format', 'csv')).toBe(0)
    const [head, first, ...rest] = printed.stdout.split('\n')
    expect(head).toMatch(/^department,name,cost_usd,previous_cost_usd,.*\r$/)
    expect(first).toBe('engineering,engineering,0.3,0.05,0.25,500,50,2,0.15,3,0.2,150,b a\r')
    expect(rest).toHaveLength(2)
  })

  it.each(['home-kpis', 'intent-distribution', 'version-adoption', 'environment-parity'])(
    'gives every line of the CSV of %s the same columns',
    async (kpi) => {
      expect(
        await query(kpi, '--workspace', 'demo', '--from', '2024-05-05', '--to', '2024-06-05', '--format', 'csv'),
      ).toBe(0)
      const lines = printed.stdout.trimEnd().split('\r\n')
      expect(lines.length).toBeGreaterThan(3)
      expect(new Set(lines.map((line) => line.split(',').length)).size).toBe(1)
    },
  )

  it('filters by department, environment and version', async () => {
    const filters = ['--department', 'sales', '--environment', 'production', '--version', 'v2.1']
    expect(await query('home-kpis', ...paper, ...filters, '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toMatchObject({
      data: { requests: { value: 2 } },
      filters_applied: { department: 'sales', environment: 'production', version: 'v2.1' },
    })
  })

  it('keeps --version of the program apart from its own', async () => {
    expect(await query('home-kpis', ...paper, '--version=v2.0', '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toMatchObject({
      filters_applied: { version: 'v2.0' },
      data: { requests: { value: 2 } },
    })
    printed.stdout = ''
    expect(await obs('--version')).toBe(0)
    expect(printed.stdout).toBe(`${obsVersion()}\n`)
    printed.stdout = ''
    expect(await obs('--version', 'query')).toBe(0)
    expect(printed.stdout).toBe(`${obsVersion()}\n`)
    printed.stdout = ''
    expect(await obs('query', '-V')).toBe(0)
    expect(printed.stdout).toBe(`${obsVersion()}\n`)
  })

  it('takes the workspace from the environment', async () => {
    vi.stubEnv('OBS_WORKSPACE', demoWorkspace)
    expect(await query('version-adoption', '--from', '2024-05-05', '--to', '2024-06-05', '--json')).toBe(0)
    vi.unstubAllEnvs()
    expect(JSON.parse(printed.stdout).meta.workspace_id).toBe(demoWorkspace)
  })

  it('warns on stderr when the range holds nothing, and still answers', async () => {
    expect(
      await query('home-kpis', '--workspace', 'paper', '--from', '2025-01-01', '--to', '2025-01-02', '--json'),
    ).toBe(0)
    expect(JSON.parse(printed.stdout).data.requests.value).toBe(0)
    expect(printed.stderr).toContain('warning: the newest trace is from 2024-06-03')
  })

  it('lists the KPIs without a database', async () => {
    expect(await obs('query', '--list', '--database-url', 'postgres://nobody@127.0.0.1:1/none')).toBe(0)
    expect(printed.stdout).toContain('cost-by-department')
    printed.stdout = ''
    expect(await obs('query', '--list', '--json')).toBe(0)
    expect(JSON.parse(printed.stdout)).toContainEqual({
      name: 'environment-parity',
      summary: expect.any(String),
      filters: ['department', 'environment'],
    })
  })
})

describe('obs query refuses', () => {
  it.each<[string, string[], string[]]>([
    ['an unknown KPI', ['home-kpi'], ['unknown KPI "home-kpi", did you mean "home-kpis"?', 'version-adoption']],
    ['no KPI', [], ['which KPI should be answered?', 'home-kpis']],
    ['a bad range', ['home-kpis', '--range', 'soon'], ['--range "soon" is not a range of time', '30d']],
    ['days that are none', ['home-kpis', '--range', '0d'], ['--range']],
    ['a bad time', ['home-kpis', '--from', 'May'], ['--from "May" is not an ISO date or time']],
    ['the future', ['home-kpis', '--as-of', '9999-01-01'], ['--as-of', 'is in the future']],
    ['an end before the beginning', ['home-kpis', '--from', '2024-02-01', '--to', '2024-01-01'], ['--from']],
    ['a bad time-out', ['home-kpis', '--timeout', '0'], ['--timeout']],
    ['a time-out without a number', ['home-kpis', '--timeout', 'long'], ['--timeout', '30s']],
    ['a time-out beyond what PostgreSQL takes', ['home-kpis', '--timeout', '999999999m'], ['--timeout']],
    ['an unknown format', ['home-kpis', '--format', 'xml'], ['--format', 'table, json, csv']],
    ['two forms at once', ['home-kpis', '--format', 'csv', '--json'], ['--json and --format csv']],
    ['a filter the KPI does not take', ['environment-parity', '--version', 'v2.1'], ['takes no --version']],
    ['a second KPI', ['home-kpis', 'version-adoption'], ['too many arguments']],
  ])('%s before it connects', async (_, args, parts) => {
    expect(await obs('query', ...args, '--database-url', 'postgres://nobody@127.0.0.1:1/none')).toBe(2)
    const said = `${printed.stdout}${printed.stderr}`
    for (const part of parts) expect(said).toContain(part)
  })

  it('an unknown department with the nearest one', async () => {
    expect(await query('home-kpis', '--workspace', 'demo', '--department', 'enginering', '--json')).toBe(2)
    expect(JSON.parse(printed.stdout)).toEqual({
      error: {
        code: 'unknown_department',
        message: 'unknown department "enginering", did you mean "engineering"?',
        hint: 'Choose one of engineering, sales, support.',
        details: { department: 'enginering', known: ['engineering', 'sales', 'support'] },
      },
    })
  })
})

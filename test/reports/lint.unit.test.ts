import { describe, expect, it } from 'vitest'
import { lintRules } from '../../src/migrator/lint/rules.js'
import { lintFormat } from '../../src/reports/lint/formats.js'
import type { LintReport, ReportedFinding } from '../../src/reports/lint/report.js'
import { createStyle } from '../../src/terminal/style.js'

const finding: ReportedFinding = {
  rule: 'index-blocks-writes',
  severity: 'error',
  message: 'this, 100% of "pet": blocked\nfor long',
  safer: 'Use concurrently.',
  version: 2,
  migration: '0002_a',
  direction: 'up',
  file: 'db/my migrations/0002_a,b:c%.up.sql',
  line: 3,
  column: 5,
  endLine: 3,
  endColumn: 20,
}

const report: LintReport = {
  findings: [finding, { ...finding, rule: 'prefer-jsonb', severity: 'notice', endLine: 5, endColumn: 2 }],
  rules: lintRules,
  migrations: 2,
  serverVersion: '18',
  obsVersion: '1.2.3',
}

const nothing: LintReport = { ...report, findings: [] }

function render(format: string, of: LintReport = report): string {
  return lintFormat(format).render(of, createStyle(false))
}

describe('SARIF', () => {
  const log = JSON.parse(render('sarif'))
  const [run] = log.runs

  it('has what version 2.1.0 requires', () => {
    expect(log).toMatchObject({ version: '2.1.0', $schema: expect.stringContaining('sarif-schema-2.1.0.json') })
    expect(Object.keys(log).sort()).toEqual(['$schema', 'runs', 'version'])
    expect(log.runs).toHaveLength(1)
    expect(run.tool.driver).toMatchObject({ name: 'obs', version: '1.2.3' })
    expect(run.columnKind).toBe('unicodeCodePoints')
  })

  it('describes every rule once', () => {
    const rules: readonly { id: string }[] = run.tool.driver.rules
    expect(rules.map((rule) => rule.id)).toEqual(lintRules.map((rule) => rule.id))
    for (const rule of rules) {
      expect(rule).toEqual({
        id: expect.any(String),
        shortDescription: { text: expect.stringMatching(/./) },
        fullDescription: { text: expect.stringMatching(/./) },
        help: { text: expect.stringMatching(/./) },
        defaultConfiguration: { level: expect.stringMatching(/^(error|warning|note)$/) },
      })
    }
  })

  it('points each result to its rule and its place', () => {
    expect(run.results).toHaveLength(2)
    for (const result of run.results) expect(run.tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId)
    expect(run.results[0]).toEqual({
      ruleId: 'index-blocks-writes',
      ruleIndex: 0,
      level: 'error',
      message: { text: `${finding.message}\nUse concurrently.` },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'db/my%20migrations/0002_a%2Cb%3Ac%25.up.sql', uriBaseId: '%SRCROOT%' },
            region: { startLine: 3, startColumn: 5, endLine: 3, endColumn: 20 },
          },
        },
      ],
    })
    expect(run.results[1].level).toBe('note')
    const { uri } = run.results[0].locations[0].physicalLocation.artifactLocation
    expect(new URL(uri, 'file:///project/').pathname).toBe(`/project/${uri}`)
  })

  it('is a log without results when nothing was found', () => {
    expect(JSON.parse(render('sarif', nothing)).runs[0].results).toEqual([])
  })
})

describe('annotations of GitHub', () => {
  it('are one line each, with everything escaped that would end a property or the line', () => {
    const lines = render('github').split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toBe(
      '::error file=db/my migrations/0002_a%2Cb%3Ac%25.up.sql,line=3,col=5,endColumn=20,title=index-blocks-writes' +
        '::this, 100%25 of "pet": blocked%0Afor long%0AUse concurrently.',
    )
    expect(lines[1]).toMatch(/^::notice file=[^:]+,line=3,endLine=5,col=5,title=prefer-jsonb::/)
    expect(lines[2]).toBe('Found 1 error, 1 notice in 2 migrations for PostgreSQL 18.')
  })
})

it('JSON holds a summary and the findings, in snake_case', () => {
  expect(JSON.parse(render('json'))).toMatchObject({
    server_version: '18',
    migrations: 2,
    summary: { errors: 1, warnings: 0, notices: 1 },
    findings: [
      { rule: 'index-blocks-writes', file: finding.file, line: 3, column: 5, end_line: 3, end_column: 20 },
      {},
    ],
  })
})

it('the table shows the gravest last, with what to do instead, and no escape sequence of a file', () => {
  const text = render('table', {
    ...report,
    findings: [{ ...finding, message: '\u001b[2Jgone' }, ...report.findings.slice(1)],
  })
  expect(text.indexOf('notice prefer-jsonb')).toBeLessThan(text.indexOf('error index-blocks-writes'))
  expect(text).toContain(
    'error index-blocks-writes db/my migrations/0002_a,b:c%.up.sql:3:5\n  \ufffd[2Jgone\n  instead: Use concurrently.',
  )
  expect(text).toContain('Found 1 error, 1 notice in 2 migrations for PostgreSQL 18.')
  expect(render('table', nothing)).toBe('Nothing found in 2 migrations for PostgreSQL 18.')
})

it('a format that does not exist is refused with the one that was meant', () => {
  expect(() => lintFormat('sarf')).toThrow('unknown format "sarf", did you mean "sarif"?')
})

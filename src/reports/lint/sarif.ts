import type { LintSeverity } from '../../migrator/lint/rule.js'
import type { LintReport, ReportedFinding } from './report.js'

/**
 * The findings as SARIF 2.1.0, which code scanning services read.
 * https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
export function sarifReport({ findings, rules, obsVersion }: LintReport): string {
  const run = {
    tool: { driver: { name: 'obs', version: obsVersion, rules: rules.map(describeRule) } },
    // Columns are counted in characters, not in UTF-16 units.
    columnKind: 'unicodeCodePoints',
    results: findings.map((finding) => result(finding, rules)),
  }
  const schema = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'
  return JSON.stringify({ $schema: schema, version: '2.1.0', runs: [run] }, null, 2)
}

const levels: Readonly<Record<LintSeverity, string>> = { error: 'error', warning: 'warning', notice: 'note' }

function describeRule({ id, severity, summary, why, safer }: LintReport['rules'][number]) {
  return {
    id,
    shortDescription: { text: summary },
    fullDescription: { text: why },
    help: { text: `${why}\n\n${safer}` },
    defaultConfiguration: { level: levels[severity] },
  }
}

function result(finding: ReportedFinding, rules: LintReport['rules']) {
  const { rule, severity, message, safer, file, line, column, endLine, endColumn } = finding
  return {
    ruleId: rule,
    ruleIndex: rules.findIndex((one) => one.id === rule),
    level: levels[severity],
    message: { text: `${message}\n${safer}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: file.split('/').map(encodeURIComponent).join('/'), uriBaseId: '%SRCROOT%' },
          region: { startLine: line, startColumn: column, endLine, endColumn },
        },
      },
    ],
  }
}

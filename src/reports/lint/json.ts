import { countOf, type LintReport } from './report.js'

/** What `--json` answers, and the `json` report holds. */
export function lintJson(report: LintReport) {
  return {
    server_version: report.serverVersion,
    migrations: report.migrations,
    summary: {
      errors: countOf(report, 'error'),
      warnings: countOf(report, 'warning'),
      notices: countOf(report, 'notice'),
    },
    findings: report.findings.map(({ endLine, endColumn, ...one }) => ({
      ...one,
      end_line: endLine,
      end_column: endColumn,
    })),
  }
}

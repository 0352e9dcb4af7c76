import { type LintReport, lintVerdict, type ReportedFinding } from './report.js'

/**
 * The findings as workflow commands, which GitHub shows beside the lines of a pull request.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function githubReport(report: LintReport): string {
  return [...report.findings.map(annotation), lintVerdict(report)].join('\n')
}

function annotation({ severity, rule, message, safer, ...place }: ReportedFinding): string {
  const { file, line, column, endLine, endColumn } = place
  // Columns are only understood within one line.
  const end = endLine === line && endColumn > column ? { endColumn } : {}
  const properties = { file, line, ...(endLine > line ? { endLine } : {}), col: column, ...end, title: rule }
  const written = Object.entries(properties).map(([name, value]) => `${name}=${property(String(value))}`)
  return `::${severity} ${written.join(',')}::${data(`${message}\n${safer}`)}`
}

/** The escapes of https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

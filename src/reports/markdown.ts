import { formatDuration } from '../terminal/format.js'
import type { CheckResult, ValidationResult } from '../validators/result.js'
import { bySuite, finding, verdictLine } from './verdict.js'

/** The result as a page: the verdict, then what failed, then every check by suite. */
export function markdownReport(result: ValidationResult): string {
  const { checks } = result
  const attention = checks.filter(({ status }) => status === 'failed' || status === 'warned')
  const sections = [
    '# Validation report',
    escapeMarkdown(verdictLine(result)),
    summaryTable(checks),
    ...(attention.length > 0 ? ['## What needs attention', ...failedFirst(attention).map(detail)] : []),
    ...[...bySuite(checks)].flatMap(([suite, members]) => [`## Suite ${escapeMarkdown(suite)}`, checkTable(members)]),
  ]
  return sections.join('\n\n')
}

function summaryTable(checks: readonly CheckResult[]): string {
  const rows = [...bySuite(checks)].map(([suite, members]) => {
    const count = (status: CheckResult['status']) => String(members.filter((check) => check.status === status).length)
    return [suite, count('passed'), count('failed'), count('warned'), count('skipped')]
  })
  return markdownTable(['suite', 'passed', 'failed', 'warned', 'skipped'], rows)
}

function failedFirst(checks: readonly CheckResult[]): readonly CheckResult[] {
  return [...checks.filter(({ status }) => status === 'failed'), ...checks.filter(({ status }) => status !== 'failed')]
}

function detail(check: CheckResult): string {
  const lines = [
    `### ${escapeMarkdown(check.id)} ${check.status}`,
    '',
    `- expected: ${escapeMarkdown(check.expected)}`,
    `- ${check.reason === null ? 'observed' : 'reason'}: ${escapeMarkdown(check.reason ?? check.observed ?? '')}`,
  ]
  if (check.rows_failing !== null) lines.push(`- rows failing: ${check.rows_failing}`)
  if (check.sample.length > 0) lines.push(`- for example: ${check.sample.map(escapeMarkdown).join(', ')}`)
  return lines.join('\n')
}

function checkTable(checks: readonly CheckResult[]): string {
  const rows = failedFirst(checks).map((check) => [
    check.status,
    check.id,
    check.severity,
    check.expected,
    finding(check),
    formatDuration(check.duration_ms),
  ])
  return markdownTable(['status', 'check', 'severity', 'expected', 'observed', 'time'], rows)
}

/** A table in GitHub's Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Keys and server messages are shown as they are, never as markup, and never break a table row. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*_[\]|~#]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/\s*[\r\n]+\s*/g, ' ')
}

import type { LintSeverity } from '../../migrator/lint/rule.js'
import type { Style } from '../../terminal/style.js'
import { type LintReport, lintVerdict, type ReportedFinding } from './report.js'

/** The findings one below the other for a person, the gravest last, next to the verdict. */
export function lintText(report: LintReport, style: Style): string {
  const order: Readonly<Record<LintSeverity, number>> = { notice: 0, warning: 1, error: 2 }
  const findings = [...report.findings].sort((a, b) => order[a.severity] - order[b.severity])
  const verdict = lintVerdict(report)
  const grave = findings.some((one) => one.severity === 'error')
  const painted = grave ? style.bad(verdict) : style.good(verdict)
  const more = findings.length > 0 ? ['obs migrate lint --explain <rule> says why and how to silence one.'] : []
  return [...findings.map((one) => `${block(one, style)}\n`), painted, ...more].join('\n')
}

function block({ severity, rule, message, safer, file, line, column }: ReportedFinding, style: Style): string {
  const paint: Readonly<Record<LintSeverity, (text: string) => string>> = {
    error: style.bad,
    warning: style.notice,
    notice: style.faint,
  }
  return [
    `${paint[severity](severity)} ${style.strong(rule)} ${file}:${line}:${column}`,
    `  ${printable(message)}`,
    `  ${style.faint('instead:')} ${printable(safer)}`,
  ].join('\n')
}

/** A name in a file may hold an escape sequence that would reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\u{fffd}')
}

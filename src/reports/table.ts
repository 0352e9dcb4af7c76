import type { Style } from '../terminal/style.js'
import { renderTable } from '../terminal/table.js'
import type { CheckResult, Status, ValidationResult } from '../validators/result.js'
import { finding, statusOrder, verdictLine } from './verdict.js'

/** The result as a table for a terminal, what needs attention last, next to the verdict. */
export function tableReport(result: ValidationResult, style: Style): string {
  const rows = [...result.checks].sort((a, b) => urgency(a) - urgency(b)).map((check) => row(check, style))
  const columns = [{ title: 'STATUS' }, { title: 'CHECK' }, { title: 'OBSERVED' }]
  const verdict = verdictLine(result)
  const painted = result.summary.failed > 0 ? style.bad(verdict) : style.good(verdict)
  return rows.length === 0 ? painted : `${renderTable(columns, rows)}\n\n${painted}`
}

function row(check: CheckResult, style: Style): string[] {
  const expected = check.status === 'failed' || check.status === 'warned' ? `\nexpected: ${check.expected}` : ''
  return [paint(check.status, style), check.id, printable(`${finding(check)}${expected}`)]
}

/** Passed first and failed last: a terminal shows the end of what scrolled by. */
function urgency({ status }: CheckResult): number {
  return -statusOrder.indexOf(status)
}

function paint(status: Status, style: Style): string {
  const colours: Record<Status, (text: string) => string> = {
    passed: style.good,
    failed: style.bad,
    warned: style.notice,
    skipped: style.faint,
  }
  return colours[status](status)
}

/** A key comes from a database and may hold an escape sequence that would reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed.
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\u{fffd}')
}

import { formatDuration } from '../terminal/format.js'
import type { CheckResult, Status, ValidationResult } from '../validators/result.js'

/** The outcome of a run in one plain sentence, the last line of a report that a person reads. */
export function verdictLine({ summary, checks }: ValidationResult): string {
  const time = formatDuration(summary.duration_ms)
  if (checks.length === 0) return 'Nothing was checked: no check was selected.'
  if (summary.failed > 0)
    return `Failed: ${summary.failed} of ${counted(checks.length)} failed${asides(summary)} (${time}).`
  if (summary.passed + summary.warned === 0)
    return `Nothing was checked: ${counted(summary.skipped)} skipped (${time}).`
  return `Passed: ${summary.passed} of ${counted(checks.length)} passed${asides(summary)} (${time}).`
}

/** The statuses, the ones to act on first. */
export const statusOrder: readonly Status[] = ['failed', 'warned', 'skipped', 'passed']

/** The results grouped by suite, in the order the suites ran. */
export function bySuite(checks: readonly CheckResult[]): ReadonlyMap<string, readonly CheckResult[]> {
  const suites = new Map<string, CheckResult[]>()
  for (const check of checks) {
    const members = suites.get(check.suite) ?? []
    suites.set(check.suite, [...members, check])
  }
  return suites
}

/** What a report says about a result beside its status: the reason, else what was observed. */
export function finding({ reason, observed, sample }: CheckResult): string {
  const rows = sample.length > 0 ? ` (${sample.join(', ')})` : ''
  return `${reason ?? observed ?? ''}${rows}`
}

function asides({ warned, skipped }: ValidationResult['summary']): string {
  const parts = [warned > 0 ? `${warned} warned` : '', skipped > 0 ? `${skipped} skipped` : ''].filter(Boolean)
  return parts.length > 0 ? `, ${parts.join(', ')}` : ''
}

function counted(count: number): string {
  return count === 1 ? '1 check' : `${count} checks`
}

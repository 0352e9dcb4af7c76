import type { Finding, LintSeverity, Rule } from '../../migrator/lint/rule.js'

/** A finding with the path of its file as a report names it: relative to the project, with slashes. */
export interface ReportedFinding extends Omit<Finding, 'location'> {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

/** What a run of lint found, and the rules it went by. */
export interface LintReport {
  readonly findings: readonly ReportedFinding[]
  readonly rules: readonly Pick<Rule, 'id' | 'severity' | 'summary' | 'why' | 'safer'>[]
  /** How many migrations were looked at. */
  readonly migrations: number
  /** The version of PostgreSQL whose behaviour is stated: `18`. */
  readonly serverVersion: string
  readonly obsVersion: string
}

/** How many findings there are of a severity. */
export function countOf({ findings }: LintReport, severity: LintSeverity): number {
  return findings.filter((one) => one.severity === severity).length
}

/** The outcome in one plain sentence. */
export function lintVerdict(report: LintReport): string {
  const { migrations, serverVersion, findings } = report
  const looked = `${migrations} ${migrations === 1 ? 'migration' : 'migrations'} for PostgreSQL ${serverVersion}`
  if (findings.length === 0) return `Nothing found in ${looked}.`
  const counts = (['error', 'warning', 'notice'] as const)
    .map((severity) => ({ severity, count: countOf(report, severity) }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 ? '' : 's'}`)
  return `Found ${counts.join(', ')} in ${looked}.`
}

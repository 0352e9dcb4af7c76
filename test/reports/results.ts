import type { CheckResult, ValidationResult } from '../../src/validators/result.js'

/** A result as an engine would hand it over; whatever is left out is ordinary. */
export function result(checks: readonly Partial<CheckResult>[], duration = 1234): ValidationResult {
  const whole = checks.map(
    (check, index): CheckResult => ({
      id: `integrity.check_${index}`,
      suite: 'integrity',
      severity: 'error',
      status: 'passed',
      reason: null,
      expected: 'nothing is wrong',
      observed: '0 of 10 traces',
      rows_failing: 0,
      sample: [],
      duration_ms: 5,
      ...check,
    }),
  )
  const count = (status: CheckResult['status']) => whole.filter((check) => check.status === status).length
  return {
    summary: {
      passed: count('passed'),
      failed: count('failed'),
      warned: count('warned'),
      skipped: count('skipped'),
      duration_ms: duration,
    },
    checks: whole,
  }
}

/** One check of every status, with text that tries to break out of the report it is put into. */
export const mixed = result([
  { id: 'schema.tables', suite: 'schema', observed: 'all 11 tables' },
  {
    id: 'integrity.orphans',
    status: 'failed',
    observed: '2 of 10 <traces> & "more"',
    rows_failing: 2,
    sample: ['a|b', '</failure>'],
  },
  {
    id: 'integrity.broken',
    status: 'failed',
    reason: 'could not be carried out: relation "traces" does not exist\u0000\u001b[31m',
    observed: null,
    rows_failing: null,
  },
  { id: 'integrity.behind', severity: 'warning', status: 'warned', observed: '3 hours wait', rows_failing: 3 },
  {
    id: 'distribution.shares',
    suite: 'distribution',
    status: 'skipped',
    reason: 'no run is recorded',
    observed: null,
    rows_failing: null,
  },
])

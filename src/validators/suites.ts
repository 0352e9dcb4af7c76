import { UsageError } from '../errors.js'
import { nearest } from '../suggest.js'
import { type Check, type Severity, type Suite, severities } from './check.js'

/**
 * Picks the suites called `names`, in the order they were defined; all of them without a name.
 *
 * @throws UsageError naming a suite that does not exist and the one that was most likely meant.
 */
export function selectSuites<Facts>(
  suites: readonly Suite<Facts>[],
  names: readonly string[],
): readonly Suite<Facts>[] {
  const known = suites.map(({ name }) => name)
  for (const name of names) if (!known.includes(name)) throw unknownSuite(name, known)
  return names.length === 0 ? suites : suites.filter(({ name }) => names.includes(name))
}

/** Keeps the checks that matter at least as much as `minimum`. */
export function atLeast<Facts>(suites: readonly Suite<Facts>[], minimum: Severity): readonly Suite<Facts>[] {
  const wanted = severities.slice(0, severities.indexOf(minimum) + 1)
  return suites.map((suite) => ({ ...suite, checks: suite.checks.filter(({ severity }) => wanted.includes(severity)) }))
}

/** One line of the list of checks. */
export interface ListedCheck extends Pick<Check, 'id' | 'severity' | 'description' | 'expected'> {
  readonly suite: string
}

/** Every check of `suites` as plain data, for lists and documentation. */
export function listChecks<Facts>(suites: readonly Suite<Facts>[]): readonly ListedCheck[] {
  return suites.flatMap(({ name, checks }) =>
    checks.map(({ id, severity, description, expected }) => ({ id, suite: name, severity, description, expected })),
  )
}

function unknownSuite(name: string, known: readonly string[]): UsageError {
  const guess = nearest(name, known)
  return new UsageError(
    `unknown suite ${JSON.stringify(name)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_suite',
      hint: `Choose among ${known.join(', ')}, or name none to run them all.`,
      details: { suite: name, suites: known },
    },
  )
}

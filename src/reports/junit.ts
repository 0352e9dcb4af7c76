import type { CheckResult, Status, ValidationResult } from '../validators/result.js'
import { bySuite, finding } from './verdict.js'

/**
 * The result as JUnit XML: a test suite for each suite, a test case for each check.
 *
 * A warning is a test that passed and printed something, because CI systems know no
 * third state. A check that could not be carried out is an `error`, one that found
 * what it looked for a `failure`.
 * https://github.com/testmoapp/junitxml
 */
export function junitReport({ summary, checks }: ValidationResult): string {
  const suites = [...bySuite(checks)].map(([name, cases]) => testSuite(name, cases))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="obs validate" ${totals(checks)} time="${seconds(summary.duration_ms)}">`,
    ...suites,
    '</testsuites>',
  ].join('\n')
}

function testSuite(name: string, checks: readonly CheckResult[]): string {
  const time = seconds(checks.reduce((sum, check) => sum + check.duration_ms, 0))
  return [
    `  <testsuite name="${attribute(name)}" ${totals(checks)} time="${time}">`,
    ...checks.map(testCase),
    '  </testsuite>',
  ].join('\n')
}

function testCase(check: CheckResult): string {
  const open = `    <testcase classname="obs.${attribute(check.suite)}" name="${attribute(check.id)}" time="${seconds(check.duration_ms)}"`
  const body = outcome(check)
  return body === '' ? `${open}/>` : `${open}>\n${body}\n    </testcase>`
}

function outcome(check: CheckResult): string {
  const message = attribute(check.reason ?? check.observed ?? '')
  const outcomes: Record<Status, () => string> = {
    passed: () => '',
    skipped: () => `      <skipped message="${message}"/>`,
    warned: () => `      <system-out>${content(`warning: ${details(check)}`)}</system-out>`,
    failed: () => {
      const element = couldNotRun(check) ? 'error' : 'failure'
      const type = attribute(check.severity)
      return `      <${element} message="${message}" type="${type}">${content(details(check))}</${element}>`
    },
  }
  return outcomes[check.status]()
}

function details(check: CheckResult): string {
  return `${finding(check)}\nexpected: ${check.expected}`
}

function totals(checks: readonly CheckResult[]): string {
  const count = (test: (check: CheckResult) => boolean) => checks.filter(test).length
  const failures = count((check) => check.status === 'failed' && !couldNotRun(check))
  const errors = count(couldNotRun)
  const skipped = count(({ status }) => status === 'skipped')
  return `tests="${checks.length}" failures="${failures}" errors="${errors}" skipped="${skipped}"`
}

function couldNotRun({ status, reason }: CheckResult): boolean {
  return status === 'failed' && reason !== null
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}

function attribute(text: string): string {
  return content(text).replace(/"/g, '&quot;').replace(/\n/g, '&#10;').replace(/\t/g, '&#9;')
}

function content(text: string): string {
  return withoutForbidden(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}

/** XML 1.0 has no way at all to write these characters, escaped or not: https://www.w3.org/TR/xml/#charsets */
function withoutForbidden(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff]/gu, '\u{fffd}')
}

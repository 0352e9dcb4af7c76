import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { junitReport } from '../../src/reports/junit.js'
import { mixed, result } from './results.js'
import { type Element, parseXml } from './xml.js'

describe('the JUnit report', () => {
  it('has a test suite for each suite and a test case for each check', () => {
    const root = parseXml(junitReport(mixed))
    expect(root.name).toBe('testsuites')
    expect(root.attributes).toEqual({
      name: 'obs validate',
      tests: '5',
      failures: '1',
      errors: '1',
      skipped: '1',
      time: '1.234',
    })
    expect(root.children.map(({ attributes }) => attributes['name'])).toEqual(['schema', 'integrity', 'distribution'])
    expect(root.children.map(({ children }) => children.length)).toEqual([1, 3, 1])
  })

  it('tells a check that failed from one that could not be carried out', () => {
    const [failed, broken] = testCases(parseXml(junitReport(mixed)), 'integrity')
    expect(outcomeOf(failed)).toMatchObject({
      name: 'failure',
      attributes: { message: '2 of 10 <traces> & "more"', type: 'error' },
      text: '2 of 10 <traces> & "more" (a|b, </failure>)\nexpected: nothing is wrong',
    })
    expect(outcomeOf(broken)).toMatchObject({ name: 'error' })
    expect(outcomeOf(broken)?.attributes['message']).toContain('relation "traces" does not exist')
  })

  it('passes a warning and prints it', () => {
    const [, , warned] = testCases(parseXml(junitReport(mixed)), 'integrity')
    expect(outcomeOf(warned)).toMatchObject({ name: 'system-out', text: expect.stringContaining('3 hours wait') })
  })

  it('gives the reason why a check was skipped', () => {
    const [skipped] = testCases(parseXml(junitReport(mixed)), 'distribution')
    expect(outcomeOf(skipped)).toMatchObject({ name: 'skipped', attributes: { message: 'no run is recorded' } })
  })

  it('stays well-formed whatever a database says', () => {
    const text = fc.string({ unit: 'binary' })
    const check = fc.record({
      id: text,
      suite: text,
      status: fc.constantFrom('passed' as const, 'failed' as const, 'warned' as const, 'skipped' as const),
      reason: fc.option(text),
      observed: fc.option(text),
      sample: fc.array(text, { maxLength: 2 }),
    })
    fc.assert(
      fc.property(fc.array(check, { maxLength: 4 }), (checks) => {
        const root = parseXml(junitReport(result(checks)))
        expect(root.attributes['tests']).toBe(String(checks.length))
      }),
      { numRuns: 40 },
    )
  })

  it('keeps quotes and line breaks of a message', () => {
    const [check] = testCases(parseXml(junitReport(result([{ status: 'failed', observed: 'a "b"\nc' }]))), 'integrity')
    expect(outcomeOf(check)?.attributes['message']).toBe('a "b"\nc')
  })
})

function testCases(root: Element, suite: string): readonly Element[] {
  return root.children.find(({ attributes }) => attributes['name'] === suite)?.children ?? []
}

function outcomeOf(testCase: Element | undefined): Element | undefined {
  return testCase?.children[0]
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../src/package.js'
import { observabilitySuites } from '../../src/validators/observability/index.js'
import { atLeast, listChecks, selectSuites } from '../../src/validators/suites.js'

const checks = listChecks(observabilitySuites)

describe('the checks of the observability pack', () => {
  it('have ids of their own that begin with their suite', () => {
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length)
    for (const { id, suite } of checks) expect(id).toMatch(new RegExp(`^${suite}\\.[a-z][a-z_]+$`))
  })

  it('say in a sentence why they matter, and in a phrase what they expect', () => {
    for (const { description, expected } of checks) {
      expect(description).toMatch(/^[A-Z][^\n]+\.$/)
      expect(expected).toMatch(/^[^\n]+[^.]$/)
    }
  })

  it('are documented one by one with their severity', async () => {
    const page = await readFile(join(packageRoot, 'docs/validation.md'), 'utf8')
    for (const { id, severity, expected } of checks) {
      expect(page).toContain(`| \`${id}\` | ${severity} | ${expected} |`)
    }
    const documented = [...page.matchAll(/^\| `(\w+\.\w+)` \|/gm)].map(([, id]) => id)
    expect(documented).toEqual(checks.map(({ id }) => id))
  })
})

describe('selecting', () => {
  it('takes every suite when none is named', () => {
    expect(selectSuites(observabilitySuites, [])).toBe(observabilitySuites)
  })

  it('keeps the order of the pack and runs nothing twice', () => {
    const names = selectSuites(observabilitySuites, ['integrity', 'schema', 'integrity']).map(({ name }) => name)
    expect(names).toEqual(['schema', 'integrity'])
  })

  it('suggests the suite that was meant', () => {
    expect(() => selectSuites(observabilitySuites, ['integrty'])).toThrow(
      expect.objectContaining({
        message: 'unknown suite "integrty", did you mean "integrity"?',
        exitCode: 2,
        code: 'unknown_suite',
      }),
    )
  })

  it('drops what matters less than asked for', () => {
    const severities = (minimum: 'error' | 'warning') =>
      new Set(listChecks(atLeast(observabilitySuites, minimum)).map(({ severity }) => severity))
    expect(severities('error')).toEqual(new Set(['error']))
    expect(severities('warning')).toEqual(new Set(['error', 'warning']))
  })
})

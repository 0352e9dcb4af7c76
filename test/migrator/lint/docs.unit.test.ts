import { expect, it } from 'vitest'
import { lintRules } from '../../../src/migrator/lint/rules.js'
import { readPage } from '../../support/pages.js'

it('docs/lint.md describes every rule as the program does, in its order, and no other', () => {
  const page = readPage('docs/lint.md')
  expect(page.slice(page.indexOf('\n## Rules\n')).trim()).toBe(rulesSection().trim())
})

function rulesSection(): string {
  const rules = lintRules.map(({ id, severity, summary, why, safer }) => {
    return `### ${id}\n\n**${severity}** · ${summary}\n\n${why}\n\n*Instead:* ${safer}`
  })
  return ['## Rules', ...rules].join('\n\n')
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { renderReference } from '../../../src/generators/library/reference.js'
import { generators } from '../../../src/generators/library/registry.js'
import { checkColumn, optionNames, seedSchema } from '../../../src/generators/library/spec.js'
import { packageRoot } from '../../../src/package.js'

describe('the generators', () => {
  it('are documented as they are (npm run docs:generators)', () => {
    expect(readFileSync(join(packageRoot, 'docs/generators.md'), 'utf8')).toBe(renderReference())
  })

  it.each(generators.map((generator) => [generator.name, generator] as const))(
    '%s has an example that works',
    (name, generator) => {
      expect(checkColumn({ generator: name, ...generator.example })).toEqual([])
      const shape = generator.options as unknown as { shape?: Record<string, { description?: string }> }
      for (const option of optionNames(generator)) expect(shape.shape?.[option]?.description, option).toBeTruthy()
    },
  )

  it('report every mistake of a plan with its place and the nearest name', () => {
    const parsed = seedSchema.safeParse({
      tables: {
        orders: {
          rows: 10,
          columns: {
            status: { generator: 'choise', values: ['a'] },
            total: { generator: 'normal', mean: 3, deviaton: 2 },
            code: { generator: 'pattern', pattern: '[A-' },
            details: { generator: 'json', fields: { a: { generator: 'integer', max: 'x' } } },
          },
        },
      },
      profiles: { big: { rows: { order: 3 } } },
    })
    const problems = parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
    expect(problems).toEqual([
      'tables.orders.columns.status.generator: there is no generator "choise", did you mean choice?',
      'tables.orders.columns.total.deviation: Invalid input: expected number, received undefined',
      'tables.orders.columns.total.deviaton: is not an option, did you mean deviation?',
      'tables.orders.columns.code.pattern: the pattern ends too early',
      'tables.orders.columns.details.fields.a.max: Invalid input: expected number, received string',
      'profiles.big.rows.order: is not a table of this plan, did you mean orders?',
    ])
  })
})

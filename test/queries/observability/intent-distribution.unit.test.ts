import { expect, it } from 'vitest'
import { intentDistribution } from '../../../src/queries/observability/intent-distribution.js'

const share = (intent: string, requests: number) => ({
  intent,
  requests,
  share_of_department_percent: requests / 10,
  share_of_total_percent: requests / 20,
  error_rate_percent: 0,
  latency_avg_ms: 100,
})

const data = {
  requests: 2000,
  intents: [],
  departments: [
    {
      department: 'sales',
      name: 'Sales',
      requests: 1000,
      share_of_total_percent: 50,
      intents: [share('research', 980), share('automation', 9), share('translation', 6), share('code_generation', 5)],
    },
  ],
}

it('puts intents below one percent on one line for a reader', () => {
  const grid = intentDistribution.layout(data).find((section) => section.title === 'By department')
  expect(grid).toMatchObject({
    rows: [
      ['sales', 'research', 980, 98, 49, 98],
      ['', '3 others', 20, 2, 1, 2],
    ],
  })
})

it('names every intent for a program', () => {
  expect(intentDistribution.table(data).rows.map((row) => row[1])).toEqual([
    'research',
    'automation',
    'translation',
    'code_generation',
  ])
})

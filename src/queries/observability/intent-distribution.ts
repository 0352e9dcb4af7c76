import type { FlatTable, Section } from '../layout.js'
import { type Fact, sumFacts } from './facts.js'
import { digits, percentOf, quotient, rounded, total } from './measures.js'
import { observabilityKpi, type Question } from './question.js'
import { departmentsOf } from './reference.js'

export interface IntentDistribution {
  readonly requests: number
  /** All departments together, the most frequent intent first. */
  readonly intents: readonly IntentShare[]
  /** Departments by requests, their intents by requests; combinations that never occur are left out. */
  readonly departments: readonly DepartmentIntents[]
}

export interface IntentShare {
  readonly intent: string
  readonly requests: number
  readonly share_of_total_percent: number | null
  readonly error_rate_percent: number | null
  readonly latency_avg_ms: number | null
}

export interface DepartmentIntents {
  readonly department: string
  readonly name: string
  readonly requests: number
  readonly share_of_total_percent: number | null
  readonly intents: readonly (IntentShare & { readonly share_of_department_percent: number | null })[]
}

/** What people ask agents for, department by department. */
export const intentDistribution = observabilityKpi<IntentDistribution>({
  name: 'intent-distribution',
  summary: 'which intents each department has, as a share of the department and of the total',
  filters: ['department', 'environment', 'version'],
  answer,
  layout,
  table,
})

type Row = Fact<'department_id' | 'intent_category'>

async function answer(question: Question) {
  const windows = { current: question.window }
  const { rows, source } = await sumFacts(question, ['department_id', 'intent_category'], windows)
  const departments = await departmentsOf(question)
  const all = requestsOf(rows)
  const data: IntentDistribution = {
    requests: all,
    intents: intentShares(rows, all),
    departments: departments
      .map(({ id, code, name }) => {
        const own = rows.filter((row) => row.department_id === id)
        const requests = requestsOf(own)
        return {
          department: code,
          name,
          requests,
          share_of_total_percent: percentOf(requests, all),
          intents: intentShares(own, all).map((share) => ({
            ...share,
            share_of_department_percent: percentOf(share.requests, requests),
          })),
        }
      })
      .sort((a, b) => b.requests - a.requests || (a.department < b.department ? -1 : 1)),
  }
  return { data, source }
}

function intentShares(rows: readonly Row[], all: number): readonly IntentShare[] {
  return [...new Set(rows.map((row) => row.intent_category))]
    .map((intent) => {
      const own = rows.filter((row) => row.intent_category === intent)
      const requests = requestsOf(own)
      const latency = total(own, (row) => row.latency_sum_ms)
      return {
        intent,
        requests,
        share_of_total_percent: percentOf(requests, all),
        error_rate_percent: percentOf(
          total(own, (row) => row.errors),
          requests,
        ),
        latency_avg_ms: rounded(quotient(latency, requests), digits.ms),
      }
    })
    .sort((a, b) => b.requests - a.requests || (a.intent < b.intent ? -1 : 1))
}

function requestsOf(rows: readonly { readonly requests: number }[]): number {
  return total(rows, (row) => row.requests)
}

function layout(data: IntentDistribution): readonly Section[] {
  return [
    {
      kind: 'grid',
      title: 'Intents',
      columns: [
        { title: 'intent', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'of total', unit: 'percent' },
        { title: '', unit: 'bar' },
        { title: 'errors', unit: 'percent' },
        { title: 'avg', unit: 'ms' },
      ],
      rows: data.intents.map((row) => [
        row.intent,
        row.requests,
        row.share_of_total_percent,
        row.share_of_total_percent,
        row.error_rate_percent,
        row.latency_avg_ms,
      ]),
      empty: 'No requests.',
    },
    {
      kind: 'grid',
      title: 'By department',
      columns: [
        { title: 'department', unit: 'text' },
        { title: 'intent', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'of department', unit: 'percent' },
        { title: 'of total', unit: 'percent' },
        { title: '', unit: 'bar' },
      ],
      rows: data.departments.flatMap((department) =>
        mainIntents(department).map((row, index) => [
          index === 0 ? department.department : '',
          row.intent,
          row.requests,
          row.share_of_department_percent,
          row.share_of_total_percent,
          row.share_of_department_percent,
        ]),
      ),
      empty: 'No requests.',
    },
  ]
}

/** Intents below one percent of the department share a line; JSON and CSV name them all. */
function mainIntents({ requests, intents, share_of_total_percent: share }: DepartmentIntents) {
  const main = intents.filter((row) => (row.share_of_department_percent ?? 0) >= 1)
  const count = intents.length - main.length
  if (count < 2) return intents
  const rest = requests - requestsOf(main)
  const others = {
    intent: `${count} others`,
    requests: rest,
    share_of_department_percent: percentOf(rest, requests),
    share_of_total_percent: share === null ? null : rounded((share * rest) / requests, digits.percent),
  }
  return [...main, others]
}

function table(data: IntentDistribution): FlatTable {
  return {
    columns: [
      'department',
      'intent',
      'requests',
      'share_of_department_percent',
      'share_of_total_percent',
      'error_rate_percent',
      'latency_avg_ms',
    ],
    rows: data.departments.flatMap(({ department, intents }) =>
      intents.map((row) => [
        department,
        row.intent,
        row.requests,
        row.share_of_department_percent,
        row.share_of_total_percent,
        row.error_rate_percent,
        row.latency_avg_ms,
      ]),
    ),
  }
}

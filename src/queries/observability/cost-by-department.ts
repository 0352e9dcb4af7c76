import type { FlatTable, Section } from '../layout.js'
import { type Fact, sumFacts } from './facts.js'
import { warnOfPartialPast } from './first-trace.js'
import { digits, type Measure, measure, percentOf, quotient, rounded, total } from './measures.js'
import { observabilityKpi, type Question } from './question.js'
import { departmentsOf } from './reference.js'
import { monthsIn, withPeriodBefore } from './windows.js'

export interface CostByDepartment {
  readonly total: {
    readonly cost_usd: Measure
    readonly requests: number
    readonly cost_per_request_usd: number | null
    /** The budgets of all departments that have one, for this range. */
    readonly budget_usd: number
    readonly budget_used_percent: number | null
  }
  readonly departments: readonly DepartmentCost[]
}

export interface DepartmentCost {
  readonly department: string
  readonly name: string
  readonly cost_usd: Measure
  readonly share_percent: number | null
  readonly requests: number
  readonly cost_per_request_usd: number | null
  readonly monthly_budget_usd: number | null
  /** The monthly budget times the months the range comes to. */
  readonly budget_usd: number | null
  readonly budget_used_percent: number | null
  /** The three agents that cost most. */
  readonly top_agents: readonly AgentCost[]
}

export interface AgentCost {
  readonly agent_id: string
  readonly cost_usd: number
  readonly requests: number
  readonly share_percent: number | null
}

/** What each department spends, how much of its budget that is, and on which agents. */
export const costByDepartment = observabilityKpi<CostByDepartment>({
  name: 'cost-by-department',
  summary: 'spent and budget of each department, the trend and the agents that cost most',
  filters: ['department', 'environment', 'version'],
  answer,
  layout,
  table,
})

type Row = Fact<'period' | 'department_id' | 'agent_id'>

async function answer(question: Question) {
  await warnOfPartialPast(question)
  const periods = withPeriodBefore(question.window)
  const { rows, source } = await sumFacts(question, ['period', 'department_id', 'agent_id'], periods)
  const departments = await departmentsOf(question)
  const months = monthsIn(question.window)
  const current = rows.filter((row) => row.period === 'current')
  const previous = rows.filter((row) => row.period === 'previous')
  const all = costOf(current)
  const costs = departments.map(({ id, code, name, budget }): DepartmentCost => {
    const now = current.filter((row) => row.department_id === id)
    const before = previous.filter((row) => row.department_id === id)
    return {
      department: code,
      name,
      cost_usd: costMeasure(now, before),
      share_percent: percentOf(costOf(now), all),
      requests: requestsOf(now),
      cost_per_request_usd: costPerRequest(now),
      monthly_budget_usd: budget,
      ...budgetUse(costOf(now), budget === null ? null : budget * months),
      top_agents: topAgents(now),
    }
  })
  const budget = total(costs, (row) => row.monthly_budget_usd ?? 0) * months
  const data: CostByDepartment = {
    total: {
      cost_usd: costMeasure(current, previous),
      requests: requestsOf(current),
      cost_per_request_usd: costPerRequest(current),
      budget_usd: rounded(budget, digits.usd),
      budget_used_percent: percentOf(all, budget),
    },
    departments: costs.sort((a, b) => (b.cost_usd.value ?? 0) - (a.cost_usd.value ?? 0)),
  }
  return { data, source }
}

function costOf(rows: readonly Row[]): number {
  return total(rows, (row) => row.cost_usd)
}

function requestsOf(rows: readonly Row[]): number {
  return total(rows, (row) => row.requests)
}

function costMeasure(now: readonly Row[], before: readonly Row[]): Measure {
  return measure(costOf(now), requestsOf(before) === 0 ? null : costOf(before), digits.usd)
}

function costPerRequest(rows: readonly Row[]): number | null {
  return rounded(quotient(costOf(rows), requestsOf(rows)), digits.usd)
}

function budgetUse(spent: number, budget: number | null) {
  return { budget_usd: rounded(budget, digits.usd), budget_used_percent: percentOf(spent, budget) }
}

function topAgents(rows: readonly Row[]): readonly AgentCost[] {
  const all = costOf(rows)
  return [...rows]
    .sort((a, b) => b.cost_usd - a.cost_usd || (a.agent_id < b.agent_id ? -1 : 1))
    .slice(0, 3)
    .map(({ agent_id, cost_usd, requests }) => ({
      agent_id,
      cost_usd,
      requests,
      share_percent: percentOf(cost_usd, all),
    }))
}

function layout({ total: all, departments }: CostByDepartment): readonly Section[] {
  return [
    {
      kind: 'figures',
      title: 'Cost',
      figures: [
        { label: 'spent', unit: 'usd', better: 'lower', ...all.cost_usd },
        { label: 'budget', unit: 'usd', value: all.budget_usd },
        { label: 'budget used', unit: 'percent', value: all.budget_used_percent },
        { label: 'per request', unit: 'usd', value: all.cost_per_request_usd },
      ],
    },
    {
      kind: 'grid',
      title: 'Departments',
      columns: [
        { title: 'department', unit: 'text' },
        { title: 'spent', unit: 'usd' },
        { title: 'change', unit: 'change', better: 'lower' },
        { title: 'share', unit: 'percent' },
        { title: 'budget', unit: 'usd' },
        { title: 'used', unit: 'percent' },
        { title: 'requests', unit: 'count' },
        { title: 'most on', unit: 'text' },
      ],
      rows: departments.map((row) => [
        row.department,
        row.cost_usd.value,
        row.cost_usd.change_percent,
        row.share_percent,
        row.budget_usd,
        row.budget_used_percent,
        row.requests,
        row.top_agents[0]?.agent_id ?? null,
      ]),
      empty: 'The workspace has no departments.',
    },
  ]
}

function table({ departments }: CostByDepartment): FlatTable {
  return {
    columns: [
      'department',
      'name',
      'cost_usd',
      'previous_cost_usd',
      'change_usd',
      'change_percent',
      'share_percent',
      'requests',
      'cost_per_request_usd',
      'monthly_budget_usd',
      'budget_usd',
      'budget_used_percent',
      'top_agents',
    ],
    rows: departments.map((row) => [
      row.department,
      row.name,
      row.cost_usd.value,
      row.cost_usd.previous,
      row.cost_usd.change,
      row.cost_usd.change_percent,
      row.share_percent,
      row.requests,
      row.cost_per_request_usd,
      row.monthly_budget_usd,
      row.budget_usd,
      row.budget_used_percent,
      row.top_agents.map((agent) => agent.agent_id).join(' '),
    ]),
  }
}

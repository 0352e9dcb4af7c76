import type { Fault, FaultCatalogue } from '../faults/fault.js'
import { armFaults, type Witness, withFaults } from '../faults/plant.js'
import type { RowEdit } from '../faults/row-edit.js'
import type { FactTable, RunSettings, Stretch } from '../pack.js'
import type { Random } from '../random.js'
import { dayMs, isWeekend } from './calendar.js'
import type { Calibration } from './calibration.js'
import { departments } from './departments.js'
import type { Population } from './population.js'
import { priceTable } from './prices.js'
import type { Profile } from './profiles.js'
import type { IdsOfWorkspace } from './reference-rows.js'
import { firstSeen } from './rollout.js'
import type { User } from './users.js'

/** What planting has to know of a run. */
export interface FaultSource {
  readonly run: RunSettings
  readonly profile: Profile
  readonly population: Population
  readonly window: Stretch
  readonly calibration: () => Calibration
  readonly ids: IdsOfWorkspace
}

/** The same, with what follows from it worked out once. */
interface FaultContext extends FaultSource {
  /** The department of each agent, as an index. */
  readonly homes: ReadonlyMap<string, number>
  readonly oldest: string
  readonly newest: string
  /** When the newest version is first seen anywhere, in milliseconds since 1970. */
  readonly newestFrom: number
}

type TraceFault = Fault<FaultContext>

/** The share of rows that a fault of single rows gets: a thousand of half a million. */
const fewRows = 0.002

/** Plants what the run's settings ask for. */
export function plantFaults(facts: readonly FactTable[], source: FaultSource, witness?: Witness): readonly FactTable[] {
  const { faults: settings = [], runId } = source.run
  if (settings.length === 0) return facts
  const armed = armFaults(faults, settings, runId)
  const context = contextOf(source)
  return facts.map((fact) => withFaults(fact, armed, context, witness))
}

function contextOf(source: FaultSource): FaultContext {
  const { population, profile, window } = source
  const { releases } = profile.rollout
  const seen = firstSeen(profile, source.calibration().delays)
  return {
    ...source,
    homes: new Map(population.agents.map(({ agentId, department }) => [agentId, department])),
    oldest: releases[0]?.version ?? '',
    newest: releases.at(-1)?.version ?? '',
    newestFrom: window.from + (seen.at(-1) ?? 0) * (window.to - window.from),
  }
}

const onTraces = { table: 'traces', key: 'trace_id', rate: fewRows, seenIn: 'rows' } as const
const onEvaluations = { table: 'evaluations', key: 'id', rate: fewRows * 5, seenIn: 'rows' } as const

/** First of all, so that what judged these traces goes as well. */
const gaps: TraceFault = {
  ...onTraces,
  name: 'gaps',
  key: 'agent_id',
  rate: 0.005,
  summary: 'an agent has no trace on a whole working day',
  checks: ['distribution.agent_gaps'],
  alsoSeenBy: ['distribution.agent_volume'],
  unit: {
    number: (row) => row.hash('agent_id') ^ Math.imul(dayOf(row), 0x9e37_79b1),
    name: (row) => `${row.text('agent_id')} ${new Date(dayOf(row) * dayMs).toISOString().slice(0, 10)}`,
  },
  plant: leaveOut,
  follow: { evaluations: leaveOut },
}

function leaveOut(row: RowEdit, _dice: Random, { window }: FaultContext): boolean {
  const day = dayOf(row)
  // A day that the window cuts is short of traces anyway.
  if (isWeekend(day) || day * dayMs < window.from || (day + 1) * dayMs > window.to) return false
  row.copies = 0
  return true
}

function dayOf(row: RowEdit): number {
  return Math.floor(row.micros(row.has('trace_timestamp') ? 'trace_timestamp' : 'timestamp') / (dayMs * 1000))
}

function becomeGhost(row: RowEdit, dice: Random): boolean {
  const agent = `retired-agent-${dice.integer(9) + 1}`
  row.set('agent_id', (field) => field.text(agent))
  return true
}

/** Names that nothing in the database goes with. */
const strangers: readonly TraceFault[] = [
  {
    ...onTraces,
    name: 'orphan-agents',
    summary: 'a trace, and what judged it, names an agent that is not registered',
    checks: ['integrity.traces_agent'],
    alsoSeenBy: ['distribution.agents', 'distribution.departments', 'distribution.agent_volume'],
    plant: becomeGhost,
    follow: { evaluations: becomeGhost },
  },
  {
    ...onTraces,
    name: 'orphan-users',
    summary: 'a trace names a user who is not registered',
    checks: ['integrity.traces_user'],
    plant(row, dice) {
      const user = `guest-${dice.integer(900) + 100}`
      row.set('user_id', (field) => field.text(user))
      return true
    },
  },
  {
    ...onEvaluations,
    name: 'orphan-evaluations',
    summary: 'an evaluation refers to a trace that does not exist',
    checks: ['integrity.evaluations_trace'],
    plant(row, dice) {
      row.set('trace_id', (field) => field.text(hexId(dice)))
      return true
    },
  },
]

const repeated: readonly TraceFault[] = [
  {
    ...onTraces,
    name: 'duplicates',
    summary: 'a request is recorded once more under another trace id',
    checks: ['integrity.traces_repeated'],
    plant(row, dice) {
      row.copies = 2
      row.set('trace_id', (field) => field.text(hexId(dice)))
      return true
    },
  },
]

const missing: readonly TraceFault[] = [
  {
    ...onTraces,
    name: 'missing-outputs',
    summary: 'a trace that succeeded has no output',
    checks: ['integrity.successes_answered'],
    plant(row) {
      if (!succeeded(row)) return false
      row.set('output', (field) => field.null())
      return true
    },
  },
  {
    ...onTraces,
    name: 'missing-users',
    summary: 'a trace names neither its user nor the segment',
    checks: ['integrity.traces_attributed'],
    plant(row) {
      row.set('user_id', (field) => field.null())
      row.set('user_segment', (field) => field.null())
      return true
    },
  },
  {
    ...onTraces,
    name: 'missing-costs',
    summary: 'a trace has no cost',
    checks: ['integrity.cost_matches_price'],
    plant(row) {
      row.set('cost_usd', (field) => field.null())
      return true
    },
  },
  {
    ...onTraces,
    name: 'unexplained-failures',
    summary: 'a failure has no error text',
    rate: fewRows * 10,
    checks: ['integrity.failures_explained'],
    plant(row) {
      if (succeeded(row)) return false
      row.set('error', (field) => field.null())
      return true
    },
  },
]

const wrongValues: readonly TraceFault[] = [
  {
    ...onTraces,
    name: 'cost-drift',
    summary: 'the cost is 2 to 10 % above tokens × price',
    checks: ['integrity.cost_matches_price'],
    plant(row, dice) {
      if (row.isNull('cost_usd')) return false
      const cost = row.scaled('cost_usd', 6)
      row.set('cost_usd', (field) => field.numeric(Math.ceil(cost * dice.between(1.02, 1.1)) + 1, 6))
      return true
    },
  },
  {
    ...onTraces,
    name: 'unpriced-models',
    summary: 'a trace names a model that is in no price list',
    checks: ['integrity.cost_matches_price'],
    plant(row) {
      const model = row.text('model')
      row.set('model', (field) => field.text(`${model}-preview`))
      return true
    },
  },
  {
    ...onTraces,
    name: 'wrong-providers',
    summary: 'a trace puts its model down to a provider that does not have it',
    checks: ['integrity.model_provider'],
    plant(row, dice) {
      const others = providers.filter((provider) => provider !== row.text('model_provider'))
      row.set('model_provider', (field) => field.text(others[dice.integer(others.length)] ?? ''))
      return true
    },
  },
  {
    ...onTraces,
    name: 'token-drift',
    summary: 'tokens_total is not the sum of its parts',
    checks: ['integrity.tokens_sum'],
    plant(row, dice) {
      const total = row.integer('tokens_total')
      row.set('tokens_total', (field) => field.int4(total + 1 + dice.integer(50)))
      return true
    },
  },
  {
    ...onTraces,
    name: 'negative-latencies',
    summary: 'a latency is below zero, as from two clocks that disagree',
    checks: ['integrity.latency_not_negative'],
    alsoSeenBy: ['integrity.rollup_averages', 'integrity.first_token_within_latency'],
    plant(row, dice) {
      row.set('latency_ms', (field) => field.int4(-1 - dice.integer(400)))
      return true
    },
  },
  {
    ...onTraces,
    name: 'unknown-statuses',
    summary: 'a status is none of success, error and timeout',
    checks: ['integrity.status_known'],
    alsoSeenBy: ['integrity.failures_explained', 'integrity.rollup_averages'],
    plant(row) {
      if (!succeeded(row)) return false
      row.set('status', (field) => field.text('cancelled'))
      return true
    },
  },
  {
    ...onTraces,
    name: 'contradicting-successes',
    summary: 'a trace that succeeded has an error text',
    checks: ['integrity.successes_without_error'],
    plant(row) {
      if (!succeeded(row)) return false
      row.set('error', (field) => field.text('server_error: the provider answered 503 Service Unavailable'))
      return true
    },
  },
  {
    ...onTraces,
    name: 'early-versions',
    summary: 'a trace runs the newest version before its release',
    checks: ['integrity.versions_released'],
    alsoSeenBy: ['distribution.version_adoption'],
    plant(row, _dice, { newest, newestFrom }) {
      if (row.micros('timestamp') / 1000 >= newestFrom) return false
      row.set('version', (field) => field.text(newest))
      return true
    },
  },
  {
    ...onTraces,
    name: 'foreign-departments',
    summary: 'a trace is charged to another department than that of its agent',
    checks: ['integrity.traces_agent_department'],
    alsoSeenBy: ['distribution.departments', 'distribution.department_shares', 'distribution.primary_intents'],
    plant(row, dice, { homes, ids }) {
      const home = homes.get(row.text('agent_id'))
      if (home === undefined) return false
      const other = (home + 1 + dice.integer(departments.length - 1)) % departments.length
      row.set('department_id', (field) => field.uuidText(ids('departments', departments[other]?.code ?? '')))
      return true
    },
  },
  {
    ...onTraces,
    name: 'wrong-segments',
    summary: 'a trace has another segment than its user',
    checks: ['integrity.traces_user_segment'],
    plant(row) {
      if (row.isNull('user_segment')) return false
      const segment = row.text('user_segment') === 'regular' ? 'power_user' : 'regular'
      row.set('user_segment', (field) => field.text(segment))
      return true
    },
  },
  {
    ...onTraces,
    name: 'early-users',
    summary: 'a user asks before signing up',
    checks: ['integrity.traces_after_signup'],
    plant(row, dice, { population }) {
      const time = row.micros('timestamp') / 1000
      const later = population.users.filter(({ signedUpAt }) => signedUpAt > time + dayMs)
      return becomes(row, later[dice.integer(later.length)])
    },
  },
  {
    ...onTraces,
    name: 'dead-users',
    summary: 'a user asks after having been seen for the last time',
    checks: ['integrity.traces_before_last_seen'],
    plant(row, dice, { population }) {
      const day = row.micros('timestamp') / 1000 / dayMs
      const gone = population.users.filter(({ leavesOnDay }) => leavesOnDay + 1 < day)
      const user = gone[dice.integer(gone.length)]
      return user?.userId !== row.text('user_id') && becomes(row, user)
    },
  },
]

const scores: readonly TraceFault[] = [
  {
    ...onEvaluations,
    name: 'foreign-evaluations',
    summary: 'an evaluation counts for another agent than that of its trace',
    checks: ['integrity.evaluations_owner'],
    plant(row, dice) {
      const agent = row.text('agent_id')
      row.set('agent_id', (field) => field.text(`${agent.replace(/-\d+$/, '')}-${90 + dice.integer(9)}`))
      return true
    },
  },
  {
    ...onEvaluations,
    name: 'clock-skew',
    summary: 'an evaluation is a few seconds older than its trace',
    checks: ['integrity.evaluations_after_trace'],
    plant(row, dice) {
      const shifted = row.micros('trace_timestamp') - 1_000_000 - dice.integer(30_000_000)
      // Within the hour, so that the row stays in the part of the table that it was generated for.
      if (hourOf(shifted) !== hourOf(row.micros('created_at'))) return false
      row.set('created_at', (field) => field.timestamptz(shifted))
      row.set('updated_at', (field) => field.timestamptz(shifted))
      return true
    },
  },
  {
    ...onEvaluations,
    name: 'wrong-verdicts',
    summary: 'is_passing contradicts the score',
    checks: ['integrity.evaluations_verdict'],
    plant(row) {
      const isPassing = row.boolean('is_passing')
      row.set('is_passing', (field) => field.bool(!isPassing))
      return true
    },
  },
]

/** Rows that are right one by one and wrong together; so many that a check of shares can tell. */
const mixes: readonly TraceFault[] = [
  {
    ...onTraces,
    name: 'skew-environments',
    seenIn: 'mix',
    rate: 0.4,
    summary: 'a part of the development traffic is recorded as production',
    checks: ['distribution.environment_shares'],
    plant(row, _dice, { ids }) {
      if (row.uuid('environment_id') !== ids('environments', 'development')) return false
      row.set('environment_id', (field) => field.uuidText(ids('environments', 'production')))
      return true
    },
  },
  {
    ...onTraces,
    name: 'skew-intents',
    seenIn: 'mix',
    rate: 0.4,
    summary: 'one department has a large part of its traces outside its own intents',
    checks: ['distribution.primary_intents', 'distribution.intent_shares'],
    plant(row, _dice, { ids }) {
      if (row.uuid('department_id') !== ids('departments', 'engineering')) return false
      if (row.text('intent_category') === 'customer_support') return false
      row.set('intent_category', (field) => field.text('customer_support'))
      return true
    },
  },
  {
    ...onTraces,
    name: 'skew-versions',
    seenIn: 'mix',
    rate: 0.3,
    summary: 'in the last tenth of the window traffic falls back to the oldest version',
    checks: ['distribution.version_adoption', 'distribution.version_monotone'],
    plant(row, _dice, { window, oldest, newest }) {
      const isLate = row.micros('timestamp') / 1000 >= window.to - 0.1 * (window.to - window.from)
      if (!isLate || row.text('version') !== newest) return false
      row.set('version', (field) => field.text(oldest))
      return true
    },
  },
  {
    ...onTraces,
    name: 'skew-failures',
    seenIn: 'mix',
    rate: 0.05,
    summary: 'far more requests fail than the profile says',
    checks: ['distribution.failure_share'],
    plant(row) {
      if (!succeeded(row)) return false
      row.set('status', (field) => field.text('error'))
      row.set('error', (field) => field.text('server_error: the provider answered 503 Service Unavailable'))
      row.set('output', (field) => field.null())
      return true
    },
  },
  {
    ...onTraces,
    name: 'skew-latencies',
    seenIn: 'mix',
    rate: 0.8,
    summary: 'most successes have a latency from an even spread',
    checks: ['distribution.latency_log_normal'],
    alsoSeenBy: ['distribution.latency_mean', 'integrity.first_token_within_latency'],
    plant(row, dice) {
      if (!succeeded(row)) return false
      const latency = 1500 + dice.integer(3000)
      if (latency === row.integer('latency_ms')) return false
      row.set('latency_ms', (field) => field.int4(latency))
      return true
    },
  },
]

const groups: FaultCatalogue['groups'] = {
  orphans: ['orphan-agents', 'orphan-users', 'orphan-evaluations'],
  nulls: ['missing-outputs', 'missing-users', 'missing-costs', 'unexplained-failures'],
  skew: ['skew-environments', 'skew-intents', 'skew-versions', 'skew-failures', 'skew-latencies'],
}

const impossible: FaultCatalogue['impossible'] = [
  { what: 'the same trace_id at the same time twice', because: 'the primary key of traces' },
  {
    what: 'a department or an environment that does not exist',
    because: 'fk_traces_department, fk_traces_environment',
  },
  { what: 'an intent or a segment outside the lists', because: 'chk_traces_intent_category, chk_traces_user_segment' },
  { what: 'an empty version', because: 'chk_traces_version' },
  { what: 'a score outside 0 to 100', because: 'chk_evaluations_score' },
  { what: 'a missing id, time, workspace, agent, latency or dimension', because: 'the NOT NULL columns' },
  { what: 'a trace outside the window, or without the mark of its run', because: 'obs proves both while it loads' },
]

const faults: readonly TraceFault[] = [gaps, ...strangers, ...repeated, ...missing, ...wrongValues, ...scores, ...mixes]

/** The faults that can be planted, as data. */
export const faultCatalogue: FaultCatalogue = { faults, groups, impossible }

const providers = [...new Set(priceTable.models.map(({ provider }) => provider))]

function succeeded(row: RowEdit): boolean {
  return row.text('status') === 'success'
}

/** Puts a trace down to somebody else, segment included. */
function becomes(row: RowEdit, user: User | undefined): boolean {
  if (!user) return false
  row.set('user_id', (field) => field.text(user.userId))
  row.set('user_segment', (field) => field.text(user.segment))
  return true
}

/** 128 bits as a trace id. */
function hexId(dice: Random): string {
  return Array.from({ length: 4 }, () => dice.bits().toString(16).padStart(8, '0')).join('')
}

function hourOf(micros: number): number {
  return Math.floor(micros / 3_600_000_000)
}

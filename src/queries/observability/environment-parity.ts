import type { FlatTable, Section } from '../layout.js'
import { type Fact, sumFacts } from './facts.js'
import { type Percentiles, percentilesBy } from './latency.js'
import { digits, percentOf, quotient, rounded, total } from './measures.js'
import { observabilityKpi, type Question } from './question.js'
import { environmentsOf } from './reference.js'

export interface EnvironmentParity {
  /** Production's own numbers; null when the workspace has no production or it has no requests. */
  readonly production: Profile | null
  readonly environments: readonly Parity[]
}

/** What an environment looks like in the range. */
export interface Profile {
  readonly environment: string
  readonly name: string
  readonly is_production: boolean
  readonly requests: number
  readonly error_rate_percent: number | null
  readonly latency_p50_ms: number | null
  readonly latency_p95_ms: number | null
  readonly cost_per_request_usd: number | null
  /** Percent of the environment's requests, by version. */
  readonly versions: Readonly<Record<string, number>>
}

export interface Parity extends Profile {
  /** 100 is just like production, 0 nothing like it; null when either has no requests. */
  readonly score: number | null
  /** The parts of the score, each 0 to 100. */
  readonly components: Components | null
}

export interface Components {
  readonly errors: number
  readonly latency_p50: number
  readonly latency_p95: number
  readonly cost: number
  readonly versions: number
}

/** How much each part counts; together 1. */
export const parityWeights: Readonly<Record<keyof Components, number>> = {
  errors: 0.25,
  latency_p50: 0.2,
  latency_p95: 0.2,
  cost: 0.15,
  versions: 0.2,
}

/** Percentage points of error rate that make two environments entirely different. */
const errorTolerance = 5

/**
 * How much the other environments behave like production.
 *
 * The score is the weighted mean of five parts, each from 0 to 100:
 * - errors (25 %): 100 × (1 − |difference of the error rates| / 5 points), at least 0;
 * - p50 and p95 latency (20 % each) and cost per request (15 %): 100 × the smaller of
 *   the two numbers divided by the larger, 100 when both are zero;
 * - versions (20 %): the overlap of the version mixes, Σ over versions of the smaller
 *   of the two shares (100 % minus their total variation distance).
 *
 * Of several environments marked as production the busiest is the reference, and the
 * others are compared with it.
 */
export const environmentParity = observabilityKpi<EnvironmentParity>({
  name: 'environment-parity',
  summary: 'how much the other environments behave like production, 0 to 100',
  filters: ['department', 'environment'],
  answer,
  layout,
  table,
})

type Row = Fact<'environment_id' | 'version'>
type Environment = Awaited<ReturnType<typeof environmentsOf>>[number]

/** Production is always read, also when --environment chooses what it is compared with. */
async function answer(question: Question) {
  const { environmentId, ...rest } = question.scope
  const everywhere = { ...question, scope: { ...rest, environmentId: undefined } }
  const environments = await environmentsOf(question)
  const { rows } = await sumFacts(everywhere, ['environment_id', 'version'], { current: question.window })
  const latency = await percentilesBy(everywhere, 'environment_id', question.window)
  const profiles = environments.map((environment) => profileOf(environment, rows, latency))
  const production = referenceOf(profiles)
  if (production === null)
    question.warn('production has no requests in this range, so there is nothing to compare with')
  const asked = environments.find(({ id }) => id === environmentId)
  const compared = profiles
    .filter((profile) => profile !== production && !(production === null && profile.is_production))
    .filter((profile) => asked === undefined || profile.environment === asked.code)
  const data: EnvironmentParity = {
    production,
    environments: compared.map((profile) => parityWith(production, profile)),
  }
  return { data, source: 'raw' as const }
}

function referenceOf(profiles: readonly Profile[]): Profile | null {
  const busy = profiles.filter((profile) => profile.is_production && profile.requests > 0)
  return busy.reduce<Profile | null>((best, next) => (best && best.requests >= next.requests ? best : next), null)
}

function profileOf(environment: Environment, rows: readonly Row[], latency: ReadonlyMap<string, Percentiles>): Profile {
  const own = rows.filter((row) => row.environment_id === environment.id)
  const requests = total(own, (row) => row.requests)
  const errors = total(own, (row) => row.errors)
  const cost = total(own, (row) => row.cost_usd)
  const percentiles = latency.get(environment.id)
  return {
    environment: environment.code,
    name: environment.name,
    is_production: environment.is_production,
    requests,
    error_rate_percent: percentOf(errors, requests),
    latency_p50_ms: rounded(percentiles?.p50 ?? null, digits.ms),
    latency_p95_ms: rounded(percentiles?.p95 ?? null, digits.ms),
    cost_per_request_usd: rounded(quotient(cost, requests), digits.usd),
    versions: Object.fromEntries(own.map((row) => [row.version, percentOf(row.requests, requests) ?? 0])),
  }
}

function parityWith(production: Profile | null, profile: Profile): Parity {
  if (production === null || profile.requests === 0) return { ...profile, score: null, components: null }
  const components = componentsOf(production, profile)
  const names = Object.keys(parityWeights) as (keyof Components)[]
  const score = total(names, (name) => components[name] * parityWeights[name])
  return { ...profile, score: rounded(score, digits.score), components }
}

function componentsOf(a: Profile, b: Profile): Components {
  const apart = Math.abs((a.error_rate_percent ?? 0) - (b.error_rate_percent ?? 0))
  return {
    errors: rounded(100 * Math.max(0, 1 - apart / errorTolerance), digits.score),
    latency_p50: similarity(a.latency_p50_ms, b.latency_p50_ms),
    latency_p95: similarity(a.latency_p95_ms, b.latency_p95_ms),
    cost: similarity(a.cost_per_request_usd, b.cost_per_request_usd),
    versions: overlap(a.versions, b.versions),
  }
}

function similarity(a: number | null, b: number | null): number {
  const [less = 0, more = 0] = [a ?? 0, b ?? 0].sort((x, y) => x - y)
  return more === 0 ? 100 : rounded((100 * less) / more, digits.score)
}

function overlap(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): number {
  const shared = total(Object.keys(a), (version) => Math.min(a[version] ?? 0, b[version] ?? 0))
  return rounded(shared, digits.score)
}

function layout({ production, environments }: EnvironmentParity): readonly Section[] {
  const all = production === null ? environments : [production, ...environments]
  return [
    {
      kind: 'figures',
      title: 'Parity with production',
      figures: environments.map((row) => ({ label: row.environment, unit: 'score', value: row.score })),
    },
    {
      kind: 'grid',
      title: 'Environments',
      columns: [
        { title: 'environment', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'errors', unit: 'percent' },
        { title: 'p50', unit: 'ms' },
        { title: 'p95', unit: 'ms' },
        { title: 'per request', unit: 'usd' },
        { title: 'main version', unit: 'text' },
      ],
      rows: all.map((row) => [
        row.environment,
        row.requests,
        row.error_rate_percent,
        row.latency_p50_ms,
        row.latency_p95_ms,
        row.cost_per_request_usd,
        mainVersion(row.versions),
      ]),
      empty: 'The workspace has no environments.',
    },
    {
      kind: 'grid',
      title: 'Parts of the score',
      columns: [
        { title: 'environment', unit: 'text' },
        { title: 'errors', unit: 'score' },
        { title: 'p50', unit: 'score' },
        { title: 'p95', unit: 'score' },
        { title: 'cost', unit: 'score' },
        { title: 'versions', unit: 'score' },
        { title: 'score', unit: 'score' },
        { title: '', unit: 'bar' },
      ],
      rows: environments.map((row) => [
        row.environment,
        row.components?.errors ?? null,
        row.components?.latency_p50 ?? null,
        row.components?.latency_p95 ?? null,
        row.components?.cost ?? null,
        row.components?.versions ?? null,
        row.score,
        row.score,
      ]),
      empty: 'There is no environment besides production.',
    },
  ]
}

function mainVersion(versions: Readonly<Record<string, number>>): string | null {
  const [first] = Object.entries(versions).sort(([, a], [, b]) => b - a)
  return first === undefined ? null : `${first[0]} (${first[1].toFixed(0)} %)`
}

function table({ production, environments }: EnvironmentParity): FlatTable {
  const plain = production === null ? [] : [{ ...production, score: null, components: null }]
  return {
    columns: [
      'environment',
      'is_production',
      'requests',
      'error_rate_percent',
      'latency_p50_ms',
      'latency_p95_ms',
      'cost_per_request_usd',
      'errors_score',
      'latency_p50_score',
      'latency_p95_score',
      'cost_score',
      'versions_score',
      'score',
    ],
    rows: [...plain, ...environments].map((row) => [
      row.environment,
      row.is_production,
      row.requests,
      row.error_rate_percent,
      row.latency_p50_ms,
      row.latency_p95_ms,
      row.cost_per_request_usd,
      row.components?.errors ?? null,
      row.components?.latency_p50 ?? null,
      row.components?.latency_p95 ?? null,
      row.components?.cost ?? null,
      row.components?.versions ?? null,
      row.score,
    ]),
  }
}

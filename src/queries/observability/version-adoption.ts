import type { FlatTable, Section } from '../layout.js'
import { type Fact, sumFacts } from './facts.js'
import { firstSeen } from './first-seen.js'
import { digits, percentOf, quotient, rounded, total } from './measures.js'
import { observabilityKpi, type Question } from './question.js'
import { stepsOf } from './windows.js'

export interface VersionAdoption {
  /** Versions by first appearance, the newest first. */
  readonly versions: readonly VersionKpis[]
  /** UTC days of the range, the first and the last as far as they belong to it. */
  readonly days: readonly VersionDay[]
  /** Days on which another version became the one with most requests. */
  readonly crossovers: readonly { readonly day: string; readonly from: string; readonly to: string }[]
}

export interface VersionKpis {
  readonly version: string
  /** UTC day of its first trace ever, inside the range or before it. */
  readonly first_seen: string
  readonly requests: number
  readonly share_percent: number | null
  /** Share of the last day of the range that has requests. */
  readonly current_share_percent: number | null
  readonly error_rate_percent: number | null
  readonly latency_avg_ms: number | null
}

export interface VersionDay {
  readonly day: string
  readonly requests: number
  /** Percent of the day's requests, by version; empty on a day without requests. */
  readonly shares: Readonly<Record<string, number>>
}

/** How new versions take over, and whether they are better. */
export const versionAdoption = observabilityKpi<VersionAdoption>({
  name: 'version-adoption',
  summary: 'share of each version day by day, when it took over, its errors and latency',
  filters: ['department', 'environment', 'version'],
  answer,
  layout,
  table,
})

type Row = Fact<'at' | 'version'>

async function answer(question: Question) {
  const { rows, source } = await sumFacts(question, ['at', 'version'], { current: question.window })
  const seen = await firstSeen(question)
  const days = daysOf(question, rows)
  const versions = [...new Set(rows.map((row) => row.version))]
    .map((version) => versionKpis(version, rows, days, seen.get(version)))
    .sort((a, b) => compare(b.first_seen, a.first_seen) || compare(b.version, a.version))
  return { data: { versions, days, crossovers: crossoversOf(days) }, source }
}

function versionKpis(version: string, rows: readonly Row[], days: readonly VersionDay[], seen: Date | undefined) {
  const own = rows.filter((row) => row.version === version)
  const requests = requestsOf(own)
  const errors = total(own, (row) => row.errors)
  const latency = total(own, (row) => row.latency_sum_ms)
  const last = days.findLast((day) => day.requests > 0)
  return {
    version,
    first_seen: dayOf(seen ?? own[0]?.at ?? new Date(0)),
    requests,
    share_percent: percentOf(requests, requestsOf(rows)),
    current_share_percent: last ? (last.shares[version] ?? 0) : null,
    error_rate_percent: percentOf(errors, requests),
    latency_avg_ms: rounded(quotient(latency, requests), digits.ms),
  }
}

function daysOf({ window }: Question, rows: readonly Row[]): readonly VersionDay[] {
  return stepsOf(window, 'day').map((at) => {
    const own = rows.filter((row) => row.at.getTime() === at.getTime())
    const requests = requestsOf(own)
    const shares = own.map((row) => [row.version, percentOf(row.requests, requests) ?? 0] as const)
    return { day: dayOf(at), requests, shares: Object.fromEntries(shares) }
  })
}

/** Days without requests have no leader and are passed over; a tie leaves the leader where it was. */
function crossoversOf(days: readonly VersionDay[]): VersionAdoption['crossovers'] {
  const crossovers: { day: string; from: string; to: string }[] = []
  let leader: string | undefined
  for (const { day, shares } of days) {
    const next = leaderOf(shares, leader)
    if (leader !== undefined && next !== undefined && next !== leader) crossovers.push({ day, from: leader, to: next })
    leader = next ?? leader
  }
  return crossovers
}

function leaderOf(shares: Readonly<Record<string, number>>, leader: string | undefined): string | undefined {
  const most = Math.max(...Object.values(shares))
  const first = Object.keys(shares).filter((version) => shares[version] === most)
  return first.find((version) => version === leader) ?? first[0]
}

function requestsOf(rows: readonly Row[]): number {
  return total(rows, (row) => row.requests)
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function layout({ versions, days, crossovers }: VersionAdoption): readonly Section[] {
  return [
    {
      kind: 'grid',
      title: 'Versions',
      columns: [
        { title: 'version', unit: 'text' },
        { title: 'first seen', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'share', unit: 'percent' },
        { title: 'now', unit: 'percent' },
        { title: 'errors', unit: 'percent' },
        { title: 'avg', unit: 'ms' },
        { title: 'share per day', unit: 'trend' },
      ],
      rows: versions.map((row) => [
        row.version,
        row.first_seen,
        row.requests,
        row.share_percent,
        row.current_share_percent,
        row.error_rate_percent,
        row.latency_avg_ms,
        days.filter((day) => day.requests > 0).map((day) => day.shares[row.version] ?? 0),
      ]),
      empty: 'No requests.',
    },
    {
      kind: 'grid',
      title: 'Crossovers',
      columns: [
        { title: 'day', unit: 'text' },
        { title: 'from', unit: 'text' },
        { title: 'to', unit: 'text' },
      ],
      rows: crossovers.map((row) => [row.day, row.from, row.to]),
      empty: 'The same version leads all along.',
    },
  ]
}

function table({ versions, days }: VersionAdoption): FlatTable {
  const names = versions.map((row) => row.version).sort(compare)
  return {
    columns: ['day', 'version', 'requests_of_day', 'share_percent'],
    rows: days
      .filter((day) => day.requests > 0)
      .flatMap((day) => names.map((version) => [day.day, version, day.requests, day.shares[version] ?? 0])),
  }
}

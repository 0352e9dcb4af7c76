import type { FlatTable, Section } from '../layout.js'
import type { HomeKpis } from './home-kpis.js'
import type { Measure } from './measures.js'

/** Headlines with their changes, the sparkline, and where the numbers come from. */
export function homeKpisLayout(data: HomeKpis): readonly Section[] {
  const { requests, latency_ms: latency, errors, cost_usd: cost, quality } = data
  return [
    {
      kind: 'figures',
      title: 'Overview',
      figures: [
        { label: 'requests', unit: 'count', better: 'higher', ...requests },
        { label: 'error rate', unit: 'percent', better: 'lower', ...errors.rate_percent },
        { label: 'cost', unit: 'usd', better: 'lower', ...cost.total },
        { label: 'quality', unit: 'score', better: 'higher', ...quality.average_score },
      ],
    },
    {
      kind: 'figures',
      title: 'Latency',
      figures: [
        { label: 'average', unit: 'ms', better: 'lower', ...latency.avg },
        { label: 'p50', unit: 'ms', better: 'lower', ...latency.p50 },
        { label: 'p90', unit: 'ms', better: 'lower', ...latency.p90 },
        { label: 'p95', unit: 'ms', better: 'lower', ...latency.p95 },
        { label: 'p99', unit: 'ms', better: 'lower', ...latency.p99 },
      ],
    },
    {
      kind: 'series',
      title: `Requests per ${data.series.step}`,
      unit: 'count',
      points: data.series.points.map(({ at, requests: value }) => ({ at, value })),
    },
    {
      kind: 'grid',
      title: 'Departments',
      columns: [
        { title: 'department', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'change', unit: 'change', better: 'higher' },
        { title: 'share', unit: 'percent' },
        { title: 'errors', unit: 'percent' },
        { title: 'avg', unit: 'ms' },
        { title: 'p95', unit: 'ms' },
        { title: 'cost', unit: 'usd' },
      ],
      rows: data.by_department.map((row) => [
        row.department,
        row.requests.value,
        row.requests.change_percent,
        row.share_percent,
        row.error_rate_percent,
        row.latency_avg_ms,
        row.latency_p95_ms,
        row.cost_usd,
      ]),
      empty: 'The workspace has no departments.',
    },
    {
      kind: 'grid',
      title: 'Cost by provider',
      columns: [
        { title: 'provider', unit: 'text' },
        { title: 'requests', unit: 'count' },
        { title: 'cost', unit: 'usd' },
        { title: 'change', unit: 'change', better: 'lower' },
        { title: 'share', unit: 'percent' },
        { title: '', unit: 'bar' },
      ],
      rows: cost.by_provider.map((row) => [
        row.provider,
        row.requests,
        row.cost_usd.value,
        row.cost_usd.change_percent,
        row.share_percent,
        row.share_percent,
      ]),
      empty: 'No requests, no cost.',
    },
    {
      kind: 'grid',
      title: 'Errors by kind',
      columns: [
        { title: 'kind', unit: 'text' },
        { title: 'count', unit: 'count' },
        { title: 'share', unit: 'percent' },
        { title: '', unit: 'bar' },
      ],
      rows: errors.by_kind.map((row) => [row.kind, row.count, row.share_percent, row.share_percent]),
      empty: 'No errors.',
    },
  ]
}

/** One line per number: what it belongs to, what it is called, and how it changed. */
export function homeKpisTable(data: HomeKpis): FlatTable {
  const row = (group: string, name: string, metric: string, { value, previous, change, change_percent }: Measure) =>
    [group, name, metric, value, previous, change, change_percent] as const
  const plain = (value: number | null): Measure => ({ value, previous: null, change: null, change_percent: null })
  return {
    columns: ['group', 'name', 'metric', 'value', 'previous', 'change', 'change_percent'],
    rows: [
      row('total', '', 'requests', data.requests),
      ...Object.entries(data.latency_ms).map(([name, value]) => row('total', '', `latency_${name}_ms`, value)),
      row('total', '', 'error_rate_percent', data.errors.rate_percent),
      row('total', '', 'cost_usd', data.cost_usd.total),
      row('total', '', 'quality_average_score', data.quality.average_score),
      row('total', '', 'evaluations', plain(data.quality.evaluations)),
      row('total', '', 'passing_percent', plain(data.quality.passing_percent)),
      ...data.errors.by_kind.map(({ kind, count }) => row('error_kind', kind, 'count', plain(count))),
      ...data.cost_usd.by_provider.flatMap((entry) => [
        row('provider', entry.provider, 'requests', plain(entry.requests)),
        row('provider', entry.provider, 'cost_usd', entry.cost_usd),
      ]),
      ...data.by_department.flatMap((entry) => [
        row('department', entry.department, 'requests', entry.requests),
        row('department', entry.department, 'error_rate_percent', plain(entry.error_rate_percent)),
        row('department', entry.department, 'latency_avg_ms', plain(entry.latency_avg_ms)),
        row('department', entry.department, 'latency_p95_ms', plain(entry.latency_p95_ms)),
        row('department', entry.department, 'cost_usd', plain(entry.cost_usd)),
      ]),
      ...data.series.points.map(({ at, requests }) => row(data.series.step, at, 'requests', plain(requests))),
    ],
  }
}

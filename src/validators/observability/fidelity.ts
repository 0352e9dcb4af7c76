import { compareCurves, compareShares } from '../fidelity/compare.js'
import type { Comparison, FidelityReport, Histogram, Pictures } from '../fidelity/report.js'
import type { DeclaredRun } from './declared.js'
import type { ObservabilityContext } from './facts.js'
import { cellsOf, countBy, type HourCell, hoursOf, isFailure, sumOf } from './generated.js'
import { measureStrata } from './latency-strata.js'
import type { RecordedRun } from './recorded-run.js'
import { rowsOf } from './seed-runs.js'
import { dayMs, hourMs } from './window.js'

/** Compares what landed of a run with what its plan declares, distribution by distribution. */
export async function measureFidelity(
  context: ObservabilityContext,
  run: RecordedRun,
  declared: DeclaredRun,
): Promise<FidelityReport> {
  const hours = await hoursOf(context, run)
  const comparisons = [
    ...(await timeComparisons(context, run, declared)),
    ...(await cellComparisons(context, run, declared)),
    ...(await failureComparisons(context, run, declared)),
    ...(await latencyComparison(context, run)),
    ...(await peopleComparisons(context, run, declared)),
  ]
  const count = (verdict: Comparison['verdict']) => comparisons.filter((one) => one.verdict === verdict).length
  return {
    run: {
      ...{ run_id: run.run_id, profile: run.profile, seed: run.seed, scale: run.scale },
      workspace_id: run.workspace_id,
      from: run.window_from.toISOString(),
      to: run.window_to.toISOString(),
      traces: sumOf(hours),
      faults: run.faults,
    },
    summary: { matches: count('matches'), near: count('near'), off: count('off') },
    comparisons,
    pictures: await picturesOf(context, run, declared),
    incidents: run.incidents,
  }
}

async function timeComparisons(
  context: ObservabilityContext,
  run: RecordedRun,
  declared: DeclaredRun,
): Promise<readonly Comparison[]> {
  const cells = await hoursOf(context, run)
  const { designEffect } = declared
  const landed = byHourOfWeek(cells)
  return [
    compareShares({
      id: 'hours',
      title: 'Hours of the day',
      declared: named(hourNames, foldHours(declared.hoursOfWeek)),
      counts: new Map(hourNames.map((name, hour) => [name, foldHours(landed)[hour] ?? 0])),
      designEffect,
    }),
    compareShares({
      id: 'weekdays',
      title: 'Days of the week',
      declared: named(weekdayNames, foldDays(declared.hoursOfWeek)),
      counts: new Map(weekdayNames.map((name, day) => [name, foldDays(landed)[day] ?? 0])),
      designEffect,
    }),
    compareShares({
      id: 'days',
      title: 'Volume by day',
      declared: declared.days,
      counts: countBy(cells, ({ hour }) => dateOf(hour)),
      designEffect,
    }),
    adoptionComparison(cells, run, declared),
  ]
}

/** Every version and slice of the window: how far the adopted share is from the curve. */
function adoptionComparison(cells: readonly HourCell[], run: RecordedRun, declared: DeclaredRun): Comparison {
  const slices = slicesOf(cells, run)
  const distances = slices.flatMap(({ label, members, times }) =>
    declared.versions.slice(1).map((version, index) => {
      const place = index + 1
      const total = sumOf(members)
      const landed = sumOf(members.filter((cell) => declared.versions.indexOf(cell.version) >= place)) / total
      const expected = meanOver(members, (cell) => declared.adopted(place, times(cell.hour + hourMs / 2)))
      return { name: `${label} ${version} or later`, declared: expected, landed, distance: Math.abs(landed - expected) }
    }),
  )
  const fewest = Math.min(...slices.map(({ members }) => sumOf(members)))
  return compareCurves({
    id: 'versions',
    title: 'Versions over time',
    distances,
    rows: fewest / declared.designEffect,
    note: 'the greatest distance from the adoption curve, in any twentieth of the window',
  })
}

async function cellComparisons(
  context: ObservabilityContext,
  run: RecordedRun,
  declared: DeclaredRun,
): Promise<readonly Comparison[]> {
  const cells = await cellsOf(context, run)
  const { designEffect } = declared
  return [
    compareShares({
      id: 'departments',
      title: 'Departments',
      declared: declared.departments,
      counts: countBy(cells, ({ department }) => department ?? 'none'),
      designEffect,
    }),
    compareShares({
      id: 'environments',
      title: 'Environments',
      declared: declared.environments,
      counts: countBy(cells, ({ environment }) => environment ?? 'none'),
      designEffect,
    }),
    compareShares({
      id: 'intents',
      title: 'Intents',
      declared: declared.intents,
      counts: countBy(cells, ({ intent }) => intent),
      designEffect,
    }),
    compareShares({
      id: 'agents',
      title: 'Volume by agent',
      declared: declared.agents,
      counts: countBy(cells, ({ agent_id }) => agent_id),
      designEffect,
    }),
    await modelComparison(context, run, declared),
  ]
}

async function modelComparison(
  context: ObservabilityContext,
  run: RecordedRun,
  { models, designEffect }: DeclaredRun,
): Promise<Comparison> {
  const versions = countBy(await hoursOf(context, run), ({ version }) => version)
  const total = [...versions.values()].reduce((sum, count) => sum + count, 0)
  const declared: Record<string, number> = {}
  for (const [version, count] of versions) {
    for (const [model, share] of Object.entries(models[version] ?? {})) {
      declared[model] = (declared[model] ?? 0) + (share * count) / total
    }
  }
  return compareShares({
    id: 'models',
    title: 'Models',
    declared,
    counts: countBy(await cellsOf(context, run), ({ model }) => model ?? 'none'),
    designEffect,
    note: 'given the versions that landed; a failover to another provider shows here',
  })
}

async function failureComparisons(
  context: ObservabilityContext,
  run: RecordedRun,
  declared: DeclaredRun,
): Promise<readonly Comparison[]> {
  const cells = await cellsOf(context, run)
  const failed = sumOf(cells.filter(isFailure))
  const kinds = await context.session<{ kind: string; traces: number }[]>`
    select coalesce(nullif(split_part(error, ':', 1), ''), 'unexplained') as kind, count(*) as traces
    from traces
    where ${rowsOf(context, run)} and status <> 'success'
      and not exists (
        select from jsonb_to_recordset(${JSON.stringify(run.incidents)}::text::jsonb) as incident ("from" timestamptz, "to" timestamptz)
        where timestamp >= incident."from" and timestamp < incident."to")
    group by 1`
  const { designEffect } = declared
  return [
    compareShares({
      id: 'failures',
      title: 'Failures',
      declared: { success: 1 - declared.failures, failure: declared.failures },
      counts: new Map([
        ['success', sumOf(cells) - failed],
        ['failure', failed],
      ]),
      designEffect,
    }),
    compareShares({
      id: 'failure_kinds',
      title: 'Kinds of failures',
      declared: declared.failureKinds,
      counts: new Map(kinds.map(({ kind, traces }) => [kind, traces])),
      designEffect,
      note: 'outside incidents',
    }),
  ]
}

/** Rows of the largest groups: the distance of ln(latency) from a normal distribution. */
async function latencyComparison(context: ObservabilityContext, run: RecordedRun): Promise<readonly Comparison[]> {
  const strata = await measureStrata(context, run)
  if (strata.length === 0) return []
  const distances = strata.map(({ name, values, statistic }) => {
    const distance = statistic / Math.sqrt(values)
    return { name, declared: 0, landed: distance, distance }
  })
  return [
    compareCurves({
      id: 'latency',
      title: 'Shape of latency',
      distances,
      rows: Math.min(...strata.map(({ values }) => values)),
      note: 'distance of ln(latency) from a normal distribution in the largest groups by model and intent',
    }),
  ]
}

async function peopleComparisons(
  context: ObservabilityContext,
  run: RecordedRun,
  declared: DeclaredRun,
): Promise<readonly Comparison[]> {
  const [row] = await context.session<{ evaluated: number }[]>`
    select count(*) as evaluated from evaluations where ${rowsOf(context, run)} and metric = 'quality'`
  const segments = await context.session<{ segment: string; users: number }[]>`
    select coalesce(user_segment, 'none') as segment, count(*) as users from users
    where ${rowsOf(context, run)} group by 1`
  const total = sumOf(await hoursOf(context, run))
  const evaluated = row?.evaluated ?? 0
  return [
    compareShares({
      id: 'evaluated',
      title: 'Judged answers',
      declared: { judged: declared.evaluated, 'not judged': 1 - declared.evaluated },
      counts: new Map([
        ['judged', evaluated],
        ['not judged', total - evaluated],
      ]),
      designEffect: 1,
    }),
    // An appended run goes on with the users of the one before.
    ...(segments.length === 0
      ? []
      : [
          compareShares({
            id: 'segments',
            title: 'Users by segment',
            declared: declared.segments,
            counts: new Map(segments.map(({ segment, users }) => [segment, users])),
            designEffect: 1,
          }),
        ]),
  ]
}

async function picturesOf(context: ObservabilityContext, run: RecordedRun, declared: DeclaredRun): Promise<Pictures> {
  const cells = await hoursOf(context, run)
  const landed = byHourOfWeek(cells)
  const total = landed.reduce((sum, count) => sum + count, 0)
  const slices = slicesOf(cells, run)
  const share = (members: readonly HourCell[], version: string) =>
    sumOf(members.filter((cell) => cell.version === version)) / sumOf(members)
  const days = [...countBy(cells, ({ hour }) => dateOf(hour))].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    hours: { declared: declared.hoursOfWeek, landed: landed.map((count) => (total === 0 ? 0 : count / total)) },
    adoption: {
      times: slices.map(({ start }) => new Date(start).toISOString()),
      versions: declared.versions.map((name, place) => ({
        name,
        declared: slices.map(({ members, times }) =>
          meanOver(members, ({ hour }) => {
            const time = times(hour + hourMs / 2)
            return (
              declared.adopted(place, time) -
              (place + 1 < declared.versions.length ? declared.adopted(place + 1, time) : 0)
            )
          }),
        ),
        landed: slices.map(({ members }) => share(members, name)),
      })),
    },
    days: { dates: days.map(([date]) => date), counts: days.map(([, count]) => count) },
    latency: await histogram(context, run, 'latency_ms', 'ms'),
    tokensInput: await histogram(context, run, 'tokens_input', 'tokens'),
    tokensOutput: await histogram(context, run, 'tokens_output', 'tokens'),
    users: await concentration(context, run),
  }
}

/** Bins of a histogram in one factor of two. */
const binsPerDoubling = 4

async function histogram(
  { session }: ObservabilityContext,
  run: RecordedRun,
  column: 'latency_ms' | 'tokens_input' | 'tokens_output',
  unit: string,
): Promise<Histogram> {
  const bins = await session<{ bin: number; traces: number }[]>`
    select floor(ln(${session(column)}::float8) / ln(2) * ${binsPerDoubling})::int as bin, count(*) as traces
    from traces where ${rowsOf({ session }, run)} and ${session(column)} > 0
    group by 1 order by 1`
  const [row] = await session<{ quantiles: number[] | null }[]>`
    select percentile_disc(array[0.5, 0.95, 0.99]) within group (order by ${session(column)})::float8[] as quantiles
    from traces where ${rowsOf({ session }, run)} and ${session(column)} > 0`
  const first = bins[0]?.bin ?? 0
  const last = bins.at(-1)?.bin ?? 0
  const counts = new Map(bins.map(({ bin, traces }) => [bin, traces]))
  const places = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const [median = 0, p95 = 0, p99 = 0] = (row?.quantiles ?? []).map(Number)
  return {
    edges: [...places, last + 1].map((bin) => 2 ** (bin / binsPerDoubling)),
    counts: places.map((bin) => counts.get(bin) ?? 0),
    ...{ median, p95, p99, unit },
  }
}

async function concentration({ session }: ObservabilityContext, run: RecordedRun): Promise<Pictures['users']> {
  const rows = await session<{ traces: number }[]>`
    select count(*) as traces from traces
    where ${rowsOf({ session }, run)} and user_id is not null
    group by user_id order by 1 desc`
  const total = rows.reduce((sum, { traces }) => sum + traces, 0)
  return [0.01, 0.05, 0.1, 0.25, 0.5].map((top) => {
    const busiest = rows.slice(0, Math.max(1, Math.round(rows.length * top)))
    return { top, share: total === 0 ? 0 : busiest.reduce((sum, { traces }) => sum + traces, 0) / total }
  })
}

const hoursOfDay = 24
const hoursOfWeek = 7 * hoursOfDay
const hourNames = Array.from({ length: hoursOfDay }, (_, hour) => `${String(hour).padStart(2, '0')}:00`)
const weekdayNames = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const

/** 1970-01-05 was a Monday. */
function byHourOfWeek(cells: readonly HourCell[]): readonly number[] {
  const counts = Array.from({ length: hoursOfWeek }, () => 0)
  for (const { hour, traces } of cells) {
    const place = ((((hour - 4 * dayMs) / hourMs) % hoursOfWeek) + hoursOfWeek) % hoursOfWeek
    counts[place] = (counts[place] ?? 0) + traces
  }
  return counts
}

function foldHours(values: readonly number[]): readonly number[] {
  return hourNames.map((_, hour) => sumAt(values, (place) => place % hoursOfDay === hour))
}

function foldDays(values: readonly number[]): readonly number[] {
  return weekdayNames.map((_, day) => sumAt(values, (place) => Math.floor(place / hoursOfDay) === day))
}

function sumAt(values: readonly number[], isMeant: (place: number) => boolean): number {
  return values.reduce((sum, value, place) => (isMeant(place) ? sum + value : sum), 0)
}

function named(names: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0]))
}

function dateOf(hour: number): string {
  return new Date(hour).toISOString().slice(0, 10)
}

interface WindowSlice {
  readonly start: number
  readonly label: string
  readonly members: readonly HourCell[]
  /** A point in time as a share of the window. */
  times(time: number): number
}

/** Slices of the window in which versions are compared; those without traces are left out. */
const sliceCount = 20

function slicesOf(cells: readonly HourCell[], { window_from, window_to }: RecordedRun): readonly WindowSlice[] {
  const start = window_from.getTime()
  const length = window_to.getTime() - start
  const times = (time: number) => Math.min(1, Math.max(0, (time - start) / length))
  return Array.from({ length: sliceCount }, (_, number) => {
    const from = start + (number * length) / sliceCount
    const members = cells.filter(
      ({ hour }) => Math.min(sliceCount - 1, Math.floor(times(hour) * sliceCount)) === number,
    )
    return { start: from, label: dateOf(from), members, times }
  }).filter(({ members }) => members.length > 0)
}

function meanOver(cells: readonly HourCell[], value: (cell: HourCell) => number): number {
  return cells.reduce((sum, cell) => sum + cell.traces * value(cell), 0) / sumOf(cells)
}

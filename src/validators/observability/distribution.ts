import { type Observation, passed, sampleSize, skipped, violated } from '../check.js'
import { countTolerance, lillieforsLimit, shareTolerance } from '../statistics.js'
import { agentGapsCheck } from './agent-gaps.js'
import type { ObservabilityCheck, ObservabilityContext, ObservabilitySuite, Range, RunFacts } from './facts.js'
import { type Cell, cellsOf, countBy, hoursOf, isFailure, sumOf } from './generated.js'
import { isLogNormal, measureStrata } from './latency-strata.js'
import { rowsOf, type SeedRun, seedRuns } from './seed-runs.js'
import { departmentCodes } from './vocabulary.js'
import { dayMs, dayOf, hourMs, isWeekend, type KindOfHour, kindOfHour, wholeDays, wholeHours } from './window.js'

/** What one run looks like in one respect. */
interface Trait {
  /** Empty when the run is as expected. */
  readonly findings: readonly string[]
  readonly observed: string
}

/** A trait, or the reason why the run is too small or too short to have it. */
type Measure = (context: ObservabilityContext, run: SeedRun, expected: RunFacts) => Promise<Trait | string>

/** Whether generated rows look like the profile they were made from; every run is looked at by itself. */
export const distributionSuite: ObservabilitySuite = {
  name: 'distribution',
  description: 'generated rows look like the profile they were made from',
  checks: [
    traitCheck(
      'environment_shares',
      'A demo with the wrong mix of environments tells the wrong story.',
      'the share of every environment is that of the profile, within the tolerance of the sample',
      environmentShares,
    ),
    traitCheck(
      'departments',
      'A department without traces has an empty page.',
      'every department has agents with traces, as many as the profile says',
      departmentsPresent,
    ),
    traitCheck(
      'department_shares',
      'What departments send decides what they are billed.',
      'the share of every department is the one that was planned',
      departmentShares,
    ),
    traitCheck(
      'agents',
      'Fleet views are built for a fleet of this size.',
      'as many agents have traces as the profile says',
      fleetSize,
    ),
    traitCheck(
      'primary_intents',
      'A department whose agents do everything looks like no department.',
      'the three intents that most traces of a department have are its own, nine traces in ten',
      primaryIntents,
    ),
    traitCheck(
      'intent_shares',
      'What people ask for is the first chart of every demo.',
      'the share of every intent is the one that was planned, within the tolerance of the sample',
      intentShares,
    ),
    traitCheck(
      'user_segments',
      'Retention by segment needs all four of them in believable numbers.',
      'users are in the segments of the profile',
      userSegments,
    ),
    traitCheck(
      'failure_share',
      'Too few failures show nothing, too many are not believed.',
      'the share of traces that are not successes is that of the profile, within the tolerance of the sample',
      failureShare,
    ),
    traitCheck(
      'version_adoption',
      'A rollout is a curve over time, not a constant mix.',
      'in every twentieth of the window each version has the share that its rollout gives it',
      versionAdoption,
    ),
    traitCheck(
      'version_monotone',
      'Adoption that falls back is an incident that nobody listed.',
      'from each twentieth of the window to the next, no version loses ground to an older one',
      versionMonotone,
    ),
    traitCheck(
      'business_hours',
      'Traffic that never sleeps is a load test, not people at work.',
      'on working days an hour from 9 to 17 UTC has as many times the traces of another hour as the profile says, or more',
      businessHours,
    ),
    traitCheck(
      'weekends',
      'Weekly patterns are what a heat map shows first.',
      'a weekend day has the share of the traces of a working day that the profile says',
      weekends,
    ),
    traitCheck(
      'agent_volume',
      'An agent far busier or quieter than the rest skews every ranking.',
      'every agent has as many traces on every whole working day as the profile says',
      agentVolume,
    ),
    agentGapsCheck,
    traitCheck(
      'latency_mean',
      'A mean far off makes every target look met, or missed.',
      'the mean latency is that of the profile, within the tolerance of the sample',
      meanLatency,
    ),
    traitCheck(
      'cost_mean',
      'A known history has a known bill.',
      'the mean cost of a trace is that of the profile, where it has one, within the tolerance of the sample',
      meanCost,
    ),
    traitCheck(
      'latency_log_normal',
      'Percentiles of anything but a long-tailed distribution are too good to be true.',
      `ln(latency) is normal within the largest groups by model and intent (√n × distance at most ${lillieforsLimit})`,
      logNormalLatency,
    ),
    traitCheck(
      'evaluated_share',
      'Quality is an average over evaluated traces only.',
      'the share of traces with a quality score is that of the profile, within the tolerance of the sample',
      evaluatedShare,
    ),
  ],
}

function traitCheck(name: string, description: string, expected: string, measure: Measure): ObservabilityCheck {
  return {
    id: `distribution.${name}`,
    severity: 'error',
    description,
    expected,
    run: (context) => overRuns(context, measure),
  }
}

async function overRuns(context: ObservabilityContext, measure: Measure): Promise<Observation> {
  const runs = await context.once(seedRuns)
  if (runs.length === 0) return skipped('no run is recorded in obs.seed_runs')
  const traits: Trait[] = []
  const reasons: string[] = []
  for (const run of runs) {
    const trait = await measureRun(context, run, measure)
    if (typeof trait === 'string') reasons.push(trait)
    else traits.push(runs.length === 1 ? trait : named(run, trait))
  }
  return conclude(traits, reasons)
}

async function measureRun(context: ObservabilityContext, run: SeedRun, measure: Measure): Promise<Trait | string> {
  const profile = context.facts.expectedOf(run)
  if (!profile) return `the profile ${run.profile} is not known to this version of obs`
  if ((await cellsOf(context, run)).length === 0) return 'the run has no traces'
  return measure(context, run, profile)
}

function named({ run_id, workspace_id, rank }: SeedRun, { findings, observed }: Trait): Trait {
  const name = rank === null ? run_id : `${run_id} in ${workspace_id}`
  return { findings: findings.map((finding) => `${name}: ${finding}`), observed: `${name}: ${observed}` }
}

function conclude(traits: readonly Trait[], reasons: readonly string[]): Observation {
  const findings = traits.flatMap((trait) => trait.findings)
  if (findings.length > 0) return violated(findings.slice(0, sampleSize).join('; '), findings.length)
  if (traits.length === 0) return skipped([...new Set(reasons)].join('; '))
  return passed(traits.map(({ observed }) => observed).join('; '))
}

async function environmentShares(context: ObservabilityContext, run: SeedRun, profile: RunFacts): Promise<Trait> {
  const counts = countBy(await cellsOf(context, run), ({ environment }) => String(environment))
  return compareShares(counts, profile.environments, profile.designEffect)
}

async function departmentShares(context: ObservabilityContext, run: SeedRun, expected: RunFacts): Promise<Trait> {
  const counts = countBy(await cellsOf(context, run), ({ department }) => String(department))
  return compareShares(counts, expected.departments, 1)
}

async function intentShares(context: ObservabilityContext, run: SeedRun, expected: RunFacts): Promise<Trait> {
  const counts = countBy(await cellsOf(context, run), ({ intent }) => intent)
  return compareShares(counts, expected.intents, expected.designEffect)
}

async function meanCost(
  context: ObservabilityContext,
  run: SeedRun,
  { meanCostUsd, designEffect }: RunFacts,
): Promise<Trait | string> {
  if (meanCostUsd === undefined) return 'the profile says nothing of what a trace costs'
  const cells = await cellsOf(context, run)
  const mean = cells.reduce((sum, { cost }) => sum + cost, 0) / sumOf(cells)
  const tolerance = meanCostUsd * meanTolerance(sumOf(cells), designEffect, costVariation)
  return near(mean, meanCostUsd, tolerance, (value) => `$${value.toFixed(6)} a trace`)
}

function compareShares(
  counts: ReadonlyMap<string, number>,
  expected: Readonly<Record<string, number>>,
  effect: number,
): Trait {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const names = new Set([...Object.keys(expected), ...counts.keys()])
  const shares = [...names].map((name) => {
    const share = (counts.get(name) ?? 0) / total
    const wanted = expected[name] ?? 0
    return { name, share, wanted, tolerance: shareTolerance(wanted, total, effect) }
  })
  return {
    findings: shares
      .filter(({ share, wanted, tolerance }) => Math.abs(share - wanted) > tolerance)
      .map(
        ({ name, share, wanted, tolerance }) =>
          `${name} ${percent(share)}, not ${percent(wanted)} ± ${percent(tolerance)}`,
      ),
    observed: shares.map(({ name, share }) => `${name} ${percent(share)}`).join(', '),
  }
}

async function departmentsPresent(
  context: ObservabilityContext,
  run: SeedRun,
  { agentsPerDepartment }: RunFacts,
): Promise<Trait> {
  const cells = await cellsOf(context, run)
  const agents = departmentCodes.map((code) => {
    const own = cells.filter(({ department }) => department === code)
    return { code, count: new Set(own.map(({ agent_id }) => agent_id)).size }
  })
  return {
    findings: agents
      .filter(({ count }) => !within(count, agentsPerDepartment))
      .map(({ code, count }) => `${code} has ${count} agents, not ${range(agentsPerDepartment)}`),
    observed: agents.map(({ code, count }) => `${code} ${count}`).join(', '),
  }
}

async function fleetSize(context: ObservabilityContext, run: SeedRun, { agents }: RunFacts): Promise<Trait> {
  const { size } = new Set((await cellsOf(context, run)).map(({ agent_id }) => agent_id))
  return inRange(size, agents, (value) => `${value} agents`)
}

async function primaryIntents(
  context: ObservabilityContext,
  run: SeedRun,
  { primaryIntents: expected, designEffect }: RunFacts,
): Promise<Trait> {
  const cells = await cellsOf(context, run)
  const findings = departmentCodes.flatMap((code) => {
    const own = cells.filter(({ department }) => department === code)
    return intentFinding(code, own, expected[code] ?? [], designEffect)
  })
  return { findings, observed: `${departmentCodes.length} departments keep to their three intents` }
}

function intentFinding(
  code: string,
  cells: readonly Cell[],
  primary: readonly string[],
  designEffect: number,
): string[] {
  if (cells.length === 0) return []
  const counts = [...countBy(cells, ({ intent }) => intent)].sort(([, a], [, b]) => b - a)
  const first = counts.slice(0, primary.length).map(([intent]) => intent)
  const strangers = first.filter((intent) => !primary.includes(intent))
  const isTelling = sumOf(cells) >= fewestToRank * designEffect
  if (strangers.length > 0 && isTelling) return [`${code}: ${strangers.join(', ')} among the first`]
  const share = sumOf(cells.filter(({ intent }) => first.includes(intent))) / sumOf(cells)
  const least = 0.9 - shareTolerance(0.9, sumOf(cells), designEffect)
  return share < least ? [`${code}: the three have ${percent(share)}`] : []
}

/** Of fewer independent traces the order of the intents is a matter of chance. */
const fewestToRank = 50

async function userSegments(
  { session }: ObservabilityContext,
  run: SeedRun,
  { users }: RunFacts,
): Promise<Trait | string> {
  const rows = await session<{ segment: string; users: number }[]>`
    select coalesce(user_segment, 'none') as segment, count(*) as users from users
    where ${rowsOf({ session }, run)} group by 1`
  if (rows.length === 0) return 'the run made no users of its own'
  return compareShares(new Map(rows.map(({ segment, users: count }) => [segment, count])), users.segments, 1)
}

async function failureShare(
  context: ObservabilityContext,
  run: SeedRun,
  { failures, designEffect }: RunFacts,
): Promise<Trait> {
  const cells = await cellsOf(context, run)
  const total = sumOf(cells)
  const tolerance = failures * tuned + shareTolerance(failures, total, designEffect * clusters)
  return near(sumOf(cells.filter(isFailure)) / total, failures, tolerance, percent)
}

/** A history is tuned to its profile on a sample of itself, which leaves this much of it to chance. */
const tuned = 0.05
/** Failures come in clusters besides, so that their share scatters the more. */
const clusters = 2

/** Slices of the window in which versions are counted. */
const slices = 20

/** Traces of the hours that begin in one slice of the window. */
interface Slice {
  readonly number: number
  /** From its first hour to the end of its last, as shares of the window. */
  readonly from: number
  readonly to: number
  readonly total: number
  /** The share of a version (by its place) and all later ones. */
  adopted(version: number): number
}

async function slicesOf(context: ObservabilityContext, run: SeedRun, { rollout }: RunFacts): Promise<readonly Slice[]> {
  const cells = await hoursOf(context, run)
  const start = run.window_from.getTime()
  const elapsed = (time: number) => (time - start) / (run.window_to.getTime() - start)
  const numberOf = (hour: number) => Math.min(slices - 1, Math.max(0, Math.floor(slices * elapsed(hour))))
  return Array.from({ length: slices }, (_, number): Slice => {
    const members = cells.filter(({ hour }) => numberOf(hour) === number)
    const hours = members.map(({ hour }) => hour)
    const total = sumOf(members)
    const isAdopted = (place: number) => (cell: { version: string }) => rollout.versions.indexOf(cell.version) >= place
    return {
      number,
      from: elapsed(Math.min(...hours)),
      to: elapsed(Math.max(...hours) + hourMs),
      total,
      adopted: (place) => sumOf(members.filter(isAdopted(place))) / total,
    }
  }).filter(({ total }) => total > 0)
}

async function versionAdoption(context: ObservabilityContext, run: SeedRun, profile: RunFacts): Promise<Trait> {
  const { versions } = profile.rollout
  const members = await slicesOf(context, run, profile)
  const findings = members.flatMap((slice) =>
    versions.flatMap((version, place) => adoptionFinding(profile, slice, version, place)),
  )
  const newest = versions.length - 1
  return { findings, observed: `${versions[newest]} ${percent(members.at(-1)?.adopted(newest) ?? 0)} at the end` }
}

/** Compared with the curve at both ends of a slice, for the latest agent and the earliest environment. */
function adoptionFinding({ rollout, designEffect }: RunFacts, slice: Slice, version: string, place: number): string[] {
  const low = rollout.adoption(place, slice.from - rollout.latest)
  const high = rollout.adoption(place, slice.to + rollout.earliest)
  const share = slice.adopted(place)
  const tolerance = (bound: number) => shareTolerance(bound, slice.total, designEffect)
  if (within(share, [low - tolerance(low), high + tolerance(high)])) return []
  return [`slice ${slice.number + 1}: ${version} or later ${percent(share)}, not ${percent(low)} to ${percent(high)}`]
}

async function versionMonotone(context: ObservabilityContext, run: SeedRun, profile: RunFacts): Promise<Trait> {
  const members = await slicesOf(context, run, profile)
  const findings = profile.rollout.versions.flatMap((version, place) =>
    members
      .slice(1)
      .flatMap((slice, index) => fallFinding(members[index] ?? slice, slice, version, place, profile.designEffect)),
  )
  return { findings, observed: `rising over ${members.length} slices` }
}

function fallFinding(before: Slice, after: Slice, version: string, place: number, designEffect: number): string[] {
  const [earlier, later] = [before.adopted(place), after.adopted(place)]
  const fewest = Math.min(before.total, after.total)
  if (later >= earlier - Math.SQRT2 * shareTolerance(earlier, fewest, designEffect)) return []
  return [`slice ${after.number + 1}: ${version} or later falls from ${percent(earlier)} to ${percent(later)}`]
}

async function businessHours(
  context: ObservabilityContext,
  run: SeedRun,
  { businessHours: least, designEffect }: RunFacts,
): Promise<Trait | string> {
  const rates = await hourlyRates(context, run)
  const rest = rateOf(rates.evening)
  if (rates.business.hours === 0 || rest === 0)
    return 'the window has no working day with hours inside and outside 9 to 17'
  const ratio = rateOf(rates.business) / rest
  const tolerance = ratio * countTolerance(rates.business.traces, designEffect)
  const observed = `${ratio.toFixed(2)} ×`
  return ratio >= least - tolerance
    ? { findings: [], observed }
    : { findings: [`${observed}, not at least ${least} ×`], observed }
}

interface Rate {
  readonly hours: number
  readonly traces: number
}

async function hourlyRates(context: ObservabilityContext, run: SeedRun): Promise<Record<'business' | 'evening', Rate>> {
  const counts = countBy(await hoursOf(context, run), ({ hour }) => hour)
  const hours = wholeHours(run)
  const rate = (kind: KindOfHour): Rate => {
    const members = hours.filter((hour) => kindOfHour(hour) === kind)
    return { hours: members.length, traces: members.reduce((sum, hour) => sum + (counts.get(hour) ?? 0), 0) }
  }
  return { business: rate('business'), evening: rate('evening') }
}

function rateOf({ hours, traces }: Rate): number {
  return hours === 0 ? 0 : traces / hours
}

async function weekends(
  context: ObservabilityContext,
  run: SeedRun,
  { weekend, designEffect }: RunFacts,
): Promise<Trait | string> {
  const days = wholeDays(run)
  const [free, working] = [days.filter(isWeekend), days.filter((day) => !isWeekend(day))]
  if (free.length < 2 || working.length < 5) return 'the window has no whole week'
  const counts = countBy(await hoursOf(context, run), ({ hour }) => dayOf(hour))
  const total = (members: readonly number[]) => members.reduce((sum, day) => sum + (counts.get(day) ?? 0), 0)
  const ratio = total(free) / free.length / (total(working) / working.length)
  const tolerance = ratio * countTolerance(total(free), designEffect)
  return inRange(ratio, weekend, (value) => `${value.toFixed(3)} of a working day`, tolerance)
}

/** An agent-day without any trace is not in the table, so the expected ones are counted as well. */
async function agentVolume(
  { session }: ObservabilityContext,
  run: SeedRun,
  { perAgentDay }: RunFacts,
): Promise<Trait | string> {
  const days = wholeDays(run).filter((day) => !isWeekend(day))
  if (days.length === 0) return 'the window has no whole working day'
  const [low, high] = perAgentDay
  const [row] = await session<{ agents: number; days: number; outside: number; least: number; most: number }[]>`
    with agent_days as (
      select agent_id, floor(extract(epoch from timestamp) / 86400)::int as day, count(*) as traces
      from traces
      where ${rowsOf({ session }, run)}
      group by 1, 2
    )
    select count(distinct agent_id) as agents, count(*) as days, min(traces) as least, max(traces) as most,
           count(*) filter (where traces not between ${low} and ${high}) as outside
    from agent_days
    where day = any (${days.map((day) => day / dayMs)}::int[])`
  if (!row || row.agents === 0) return 'no agent has traces on a whole working day'
  const idle = low > 0 ? row.agents * days.length - row.days : 0
  const outside = row.outside + idle
  const observed = `${row.least} to ${row.most} a day`
  if (outside === 0) return { findings: [], observed }
  return { findings: [`${outside} of ${row.agents * days.length} agent-days outside ${low} to ${high}`], observed }
}

async function meanLatency(
  context: ObservabilityContext,
  run: SeedRun,
  { meanLatencyMs, designEffect }: RunFacts,
): Promise<Trait> {
  const cells = await cellsOf(context, run)
  const mean = cells.reduce((sum, { latency }) => sum + latency, 0) / sumOf(cells)
  const tolerance = meanLatencyMs * meanTolerance(sumOf(cells), designEffect, latencyVariation)
  return near(mean, meanLatencyMs, tolerance, (value) => `${Math.round(value)} ms`)
}

/** Standard deviations relative to the mean: of latency with time-outs, and of cost over models and intents. */
const latencyVariation = 1.2
const costVariation = 2

/** How far a mean may lie from what it was tuned to, relative to it. */
function meanTolerance(count: number, designEffect: number, variation: number): number {
  return tuned / 2 + countTolerance(count, designEffect * variation ** 2)
}

async function logNormalLatency(context: ObservabilityContext, run: SeedRun): Promise<Trait | string> {
  const strata = await measureStrata(context, run)
  if (strata.length === 0) return 'no model and intent has enough traces outside incidents'
  const worst = strata.reduce((a, b) => (b.statistic > a.statistic ? b : a))
  return {
    findings: strata
      .filter((stratum) => !isLogNormal(stratum))
      .map(({ name, statistic }) => `${name}: ${statistic.toFixed(2)}`),
    observed: `at most ${worst.statistic.toFixed(2)} in ${strata.length} groups`,
  }
}

async function evaluatedShare(context: ObservabilityContext, run: SeedRun, { evaluations }: RunFacts): Promise<Trait> {
  const total = sumOf(await cellsOf(context, run))
  const [row] = await context.session<{ evaluated: number }[]>`
    select count(*) as evaluated from evaluations where ${rowsOf(context, run)} and metric = 'quality'`
  const counts = new Map([
    ['evaluated', row?.evaluated ?? 0],
    ['not evaluated', total - (row?.evaluated ?? 0)],
  ])
  return compareShares(counts, { evaluated: evaluations, 'not evaluated': 1 - evaluations }, 1)
}

function near(value: number, wanted: number, tolerance: number, describe: (value: number) => string): Trait {
  const observed = describe(value)
  if (Math.abs(value - wanted) <= tolerance) return { findings: [], observed }
  return { findings: [`${observed}, not ${describe(wanted)} ± ${describe(tolerance)}`], observed }
}

function inRange(value: number, [low, high]: Range, describe: (value: number) => string, tolerance = 0): Trait {
  const observed = describe(value)
  if (within(value, [low - tolerance, high + tolerance])) return { findings: [], observed }
  return { findings: [`${observed}, not ${low} to ${high}`], observed }
}

function within(value: number, [low, high]: Range): boolean {
  return value >= low && value <= high
}

function range([low, high]: Range): string {
  return `${low} to ${high}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}

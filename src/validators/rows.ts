import { type Check, type CheckContext, type Observation, passed, sampleSize, skipped, violated } from './check.js'

/** Turns a value into a placeholder (`$1`), so that no value becomes part of the SQL text. */
export type Bind = (value: string) => string

/** A join that some rules need: it must not multiply rows. */
export type RowJoin<Facts> = (context: CheckContext<Facts>, bind: Bind) => Promise<string> | string

/** Where rows come from. Rules with the same source are answered by one scan. */
export interface RowSource<Facts, Join extends string = string> {
  /** What a row is called, in the plural: `traces`. */
  readonly rows: string
  /** The from clause: `traces t`. */
  readonly from: string
  /** A text expression that names a row in a report. */
  readonly key: string
  readonly joins: Readonly<Record<Join, RowJoin<Facts>>>
}

/** What may not be true of any row. */
export interface RowRule<Facts = unknown> {
  readonly source: RowSource<Facts>
  /** An SQL condition that holds for a failing row; null counts as false. */
  readonly violates: string
  /** Which rows are looked at at all; every row when absent. */
  readonly among?: string
  /** What those rows are called: `generated traces`. */
  readonly amongName?: string
  readonly joins: readonly string[]
}

/** A check that every row of a source has to pass. */
export interface RowCheckDefinition<Facts, Join extends string>
  extends Pick<Check<Facts>, 'id' | 'severity' | 'description' | 'expected'> {
  readonly source: RowSource<Facts, Join>
  readonly violates: string
  readonly among?: { readonly condition: string; readonly name: string }
  readonly joins?: readonly NoInfer<Join>[]
}

/** Makes a check of a condition that no row may fulfil. */
export function rowCheck<Facts, Join extends string>(definition: RowCheckDefinition<Facts, Join>): Check<Facts> {
  const { source, violates, among, joins = [], ...description } = definition
  const rule: RowRule<Facts> = {
    source,
    violates,
    joins,
    ...(among ? { among: among.condition, amongName: among.name } : {}),
  }
  return {
    ...description,
    rule,
    run: (context) => checkAlone(rule, context),
    failing: async (context, bind) =>
      `select ${source.key} as key ${await fromClause(source, [rule], context, bind)} where ${failingRows(rule)}`,
  }
}

/**
 * Replaces the row checks that share a source by checks that share one scan.
 *
 * A table is then read once for all of its rules. When the shared scan fails, because
 * a column of one rule is missing for example, each rule is tried by itself, so that
 * only the broken one fails.
 */
export function fuse<Facts>(checks: readonly Check<Facts>[]): readonly Check<Facts>[] {
  const probes = new Map<RowSource<Facts>, SharedScan<Facts>>()
  for (const source of new Set(checks.flatMap(({ rule }) => (rule ? [rule.source] : [])))) {
    const rules = checks.flatMap(({ rule }) => (rule?.source === source ? [rule] : []))
    probes.set(source, { rules, probe: (context) => scan(source, rules, context) })
  }
  return checks.map((check) => {
    const { rule } = check
    const shared = rule && probes.get(rule.source)
    return shared ? { ...check, run: (context) => checkTogether(rule, shared, context) } : check
  })
}

interface SharedScan<Facts> {
  readonly rules: readonly RowRule<Facts>[]
  readonly probe: (context: CheckContext<Facts>) => Promise<readonly Tally[]>
}

/** How many rows a rule looked at, and how many of them failed it. */
interface Tally {
  readonly seen: number
  readonly failing: number
}

async function checkTogether<Facts>(
  rule: RowRule<Facts>,
  { rules, probe }: SharedScan<Facts>,
  context: CheckContext<Facts>,
): Promise<Observation> {
  const tallies = await context.once(probe).catch(() => undefined)
  const tally = tallies?.[rules.indexOf(rule)]
  return tally ? observe(rule, tally, context) : checkAlone(rule, context)
}

async function checkAlone<Facts>(rule: RowRule<Facts>, context: CheckContext<Facts>): Promise<Observation> {
  const [tally] = await scan(rule.source, [rule], context)
  return observe(rule, tally ?? { seen: 0, failing: 0 }, context)
}

async function observe<Facts>(
  rule: RowRule<Facts>,
  { seen, failing }: Tally,
  context: CheckContext<Facts>,
): Promise<Observation> {
  const name = rule.amongName ?? rule.source.rows
  if (seen === 0) return skipped(`there are no ${name}`)
  if (failing === 0) return passed(`0 of ${seen} ${name}`)
  return violated(`${failing} of ${seen} ${name}`, failing, await sample(rule, context))
}

async function scan<Facts>(
  source: RowSource<Facts>,
  rules: readonly RowRule<Facts>[],
  context: CheckContext<Facts>,
): Promise<readonly Tally[]> {
  const columns = rules.flatMap((rule, index) => [
    `count(*) filter (where ${rule.among ?? 'true'}) as seen_${index}`,
    `count(*) filter (where ${failingRows(rule)}) as failing_${index}`,
  ])
  const values: string[] = []
  const clause = await fromClause(source, rules, context, binder(values))
  const [row] = await context.session.unsafe(`select ${columns.join(',\n')}\n${clause}`, values)
  return rules.map((_, index) => ({
    seen: Number(row?.[`seen_${index}`] ?? 0),
    failing: Number(row?.[`failing_${index}`] ?? 0),
  }))
}

async function sample<Facts>(rule: RowRule<Facts>, context: CheckContext<Facts>): Promise<string[]> {
  const values: string[] = []
  const clause = await fromClause(rule.source, [rule], context, binder(values))
  const rows = await context.session.unsafe<{ key: string | null }[]>(
    `select ${rule.source.key} as key ${clause} where ${failingRows(rule)} order by 1 limit ${sampleSize}`,
    values,
  )
  return rows.map(({ key }) => key ?? 'null')
}

function failingRows({ among, violates }: Pick<RowRule, 'among' | 'violates'>): string {
  return among ? `(${among}) and (${violates})` : `(${violates})`
}

/** Gives each value the next placeholder. */
export function binder(values: string[]): Bind {
  return (value) => `$${values.push(value)}`
}

async function fromClause<Facts>(
  source: RowSource<Facts>,
  rules: readonly RowRule<Facts>[],
  context: CheckContext<Facts>,
  bind: Bind,
): Promise<string> {
  const joins: string[] = []
  for (const name of new Set(rules.flatMap((rule) => rule.joins))) {
    const join = source.joins[name]
    if (join) joins.push(await join(context, bind))
  }
  return [`from ${source.from}`, ...joins].join('\n')
}

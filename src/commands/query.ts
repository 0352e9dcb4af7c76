import { Command, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../errors.js'
import type { Envelope } from '../queries/envelope.js'
import { defaultRange, type FilterText, parseFilters } from '../queries/filters.js'
import { findKpi } from '../queries/find-kpi.js'
import type { Kpi } from '../queries/kpi.js'
import { observabilityKpis } from '../queries/observability/kpis.js'
import { checkFilterNames } from '../queries/resolve-filters.js'
import { defaultTimeout, runKpi } from '../queries/run.js'
import { renderCsv } from '../reports/csv.js'
import { renderTable } from '../terminal/table.js'
import { action, type Invocation, withTarget } from './invocation.js'
import { renderKpi } from './render-kpi.js'

interface QueryOptions extends FilterText {
  readonly list?: boolean
  readonly format: 'table' | 'json' | 'csv'
  /** Milliseconds. */
  readonly timeout: number
}

export function queryCommand(): Command {
  return new Command('query')
    .description('answer a KPI question, read-only')
    .argument('[kpi]', 'which KPI; --list shows them')
    .option('--list', 'show every KPI and the filters it takes')
    .option('--range <range>', `how far to look back, for example 24h, 30d, 12w (default: ${defaultRange})`)
    .option('--from <time>', 'where the range begins, ISO date or time (UTC unless it says otherwise)')
    .option('--to <time>', 'where it ends, this moment not included (default: now)')
    .option('--as-of <time>', 'what "now" is, so that the same question has the same answer tomorrow')
    .option('--department <code>', 'only this department')
    .option('--environment <code>', 'only this environment')
    .option('--version <version>', 'only this version of the agents')
    .option(
      '--workspace <id>',
      'the workspace, by id or code (default: OBS_WORKSPACE, the configuration, the only one)',
    )
    .addOption(
      new Option('--format <format>', 'the form of the answer').choices(['table', 'json', 'csv']).default('table'),
    )
    .option('--timeout <time>', 'how long a statement may take: 500ms, 30s, 2m', parseTimeout, defaultTimeout)
    .addHelpText('after', examples)
    .action(action(query))
}

/** The KPIs of the shipped packs; a pack of somebody's own has none. */
const kpisByPack: Readonly<Record<string, readonly Kpi<unknown>[]>> = { observability: observabilityKpis }

const examples = `
Examples:
  $ obs query home-kpis --range 30d --department engineering
  $ obs query cost-by-department --from 2026-10-01 --to 2026-11-01
  $ obs query version-adoption --range 12w --format csv > versions.csv
  $ obs query home-kpis --as-of 2026-11-22T00:00:00Z --json

Exits 0 with an answer, 1 when the database cannot give one, 2 when a filter names nothing.`

async function query(invocation: Invocation<QueryOptions>, name: string | undefined): Promise<void> {
  const { options, settings } = invocation
  const kpis = kpisByPack[settings.pack.name] ?? []
  if (options.list) return invocation.answer(listing(kpis))
  if (name === undefined) throw noKpi(kpis)
  refuseTwoForms(invocation)
  const kpi = findKpi(kpis, name)
  const filters = parseFilters({ ...options, ...workspaceOf(invocation) })
  checkFilterNames(kpi, filters)
  const { schema } = settings.pack
  const envelope = await withTarget(
    invocation,
    (database) => runKpi(database, kpi, filters, invocation.context, { timeout: options.timeout, schema }),
    { purpose: `query ${kpi.name}`, connections: 1, readOnly: true },
  )
  invocation.answer({ json: envelope, text: render(envelope, kpi, invocation) })
}

function render(envelope: Envelope, kpi: Kpi<unknown>, { options, style, terminal }: Invocation<QueryOptions>): string {
  if (options.format === 'json') return JSON.stringify(envelope, null, 2)
  if (options.format === 'csv') {
    const { columns, rows } = kpi.table(envelope.data)
    // The answer is printed with the last line feed.
    return renderCsv(columns, rows).slice(0, -1)
  }
  return renderKpi(envelope, style, terminal.width, kpi)
}

function listing(kpis: readonly Kpi<unknown>[]) {
  const rows = kpis.map(({ name, summary, filters }) => [name, summary, filters.map((flag) => `--${flag}`).join(' ')])
  return {
    json: kpis.map(({ name, summary, filters }) => ({ name, summary, filters })),
    text: renderTable([{ title: 'KPI' }, { title: 'answers' }, { title: 'takes' }], rows),
  }
}

function noKpi(kpis: readonly Kpi<unknown>[]): UsageError {
  const names = kpis.map((kpi) => kpi.name)
  return new UsageError('which KPI should be answered?', {
    code: 'kpi_not_named',
    hint: names.length > 0 ? `Choose one of ${names.join(', ')}.` : 'Choose another --pack: this one has no KPIs.',
    details: { known: names },
  })
}

function workspaceOf({ options, settings }: Invocation<QueryOptions>): Pick<FilterText, 'workspace'> {
  const workspace = options.workspace ?? settings.workspace
  return workspace === undefined ? {} : { workspace }
}

function refuseTwoForms({ options }: Invocation<QueryOptions>): void {
  if (!options.json || options.format !== 'csv') return
  throw new UsageError('--json and --format csv ask for two forms of one answer', { hint: 'Give one of the two.' })
}

const unitMilliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** A plain number is seconds; `statement_timeout` takes whole milliseconds up to 2^31 - 1. */
function parseTimeout(text: string): number {
  const [, count = '', unit = 's'] = /^(\d{1,9})(ms|s|m)?$/.exec(text) ?? []
  const milliseconds = Number(count) * (unitMilliseconds[unit] ?? 0)
  if (milliseconds >= 1 && milliseconds < 2 ** 31) return milliseconds
  throw new InvalidArgumentError('Write a time such as 500ms, 30s or 2m.')
}

import { Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../errors.js'
import type { SeedPack } from '../generators/pack.js'
import { type SeedMode, type SeedResult, seed } from '../generators/seed.js'
import { formatCount, formatDuration } from '../terminal/format.js'
import type { Style } from '../terminal/style.js'
import { renderTable } from '../terminal/table.js'
import { startOfDay, wholeDays } from './days.js'
import { action, type Invocation, withTarget } from './invocation.js'

interface SeedFlags {
  readonly days: number
  readonly asOf?: Date
  readonly seed: number
  readonly profile: string
  readonly scale: number
  readonly workspace?: string
  readonly append?: boolean
  readonly replace?: boolean
}

export function seedCommand(): Command {
  return new Command('seed')
    .description('fill the database with believable agent traces')
    .option('--days <n>', 'length of the history in days, 1 to 3650', wholeDays, 90)
    .option('--as-of <time>', 'where the history ends, ISO date or time, UTC (default: the start of today)', parseAsOf)
    .option('--seed <n>', 'the same number gives the same rows', parseSeed, 42)
    .option('--profile <name>', 'demo, or load for twenty times its volume', 'demo')
    .option('--scale <factor>', "multiply the profile's volume, for example 0.01", parseScale, 1)
    .option(
      '--workspace <uuid>',
      "the workspace to fill (default: the configured, the only or the demo's one)",
      parseUuid,
    )
    .option('--append', 'add a further run to the synthetic rows that are there')
    .option('--replace', 'remove the synthetic rows that are there first, and never any other')
    .addHelpText('after', examples)
    .action(action(run))
}

const examples = `
Examples:
  $ obs seed --days 90                                      about 420,000 traces up to today
  $ obs seed --days 30 --as-of 2026-11-22 --seed 7 --json   the same rows whenever it runs
  $ obs seed --days 90 --replace                            begin again; other rows stay as they are
  $ obs seed --days 7 --append --scale 0.5                  half a week's worth on top
  $ obs seed --profile load --days 30                       millions of rows

Everything of a run is one transaction: it is there entirely or not at all.
Exits 0 when the run is there, 1 when it was refused or undone (or, as the message then says,
only its sums could not be refreshed), 2 when a flag cannot be used, 4 when another seed is
under way or a table stays locked.`

async function run(invocation: Invocation<SeedFlags>): Promise<void> {
  const { options, settings } = invocation
  const mode = modeOf(options)
  const generators = await generatorsOf(settings.pack.name)
  const { days, seed: number, profile, scale } = options
  const result = await withTarget(
    invocation,
    (database) =>
      seed(
        database,
        {
          ...{ generators, schema: settings.pack.schema, days, seed: number, profile, scale, mode },
          asOf: options.asOf ?? startOfDay(new Date()),
          workspace: options.workspace ?? settings.workspace,
        },
        invocation.context,
      ),
    { purpose: 'seed', connections: 2 },
  )
  invocation.answer({ json: result, text: render(result, invocation.style) })
}

/** The generators of the shipped packs; a pack of somebody's own has none. */
const generatorsByPack: Readonly<Record<string, () => Promise<SeedPack>>> = {
  observability: async () => (await import('../generators/observability/pack.js')).observability,
}

async function generatorsOf(pack: string): Promise<SeedPack> {
  const load = generatorsByPack[pack]
  if (load) return load()
  throw new UsageError(`the pack ${JSON.stringify(pack)} has no generators`, {
    code: 'no_generators',
    hint: `Choose --pack ${Object.keys(generatorsByPack).join(' or ')}.`,
    details: { pack },
  })
}

function modeOf({ append, replace }: SeedFlags): SeedMode {
  if (append && replace) {
    throw new UsageError('--append and --replace exclude each other', {
      hint: 'Give one of them: --append keeps the synthetic rows that are there, --replace removes them.',
    })
  }
  if (append) return 'append'
  return replace ? 'replace' : 'first'
}

function render(result: SeedResult, style: Style): string {
  const rows = Object.entries(result.tables).map(([table, { rows, inserted }]) => [
    table,
    formatCount(rows),
    inserted === rows ? '' : `${formatCount(rows - inserted)} of them were there`,
  ])
  const gone = Object.entries(result.replaced).map(([table, count]) => `${formatCount(count)} ${table}`)
  const days = `${result.window.from.slice(0, 16).replace('T', ' ')} to ${result.window.to.slice(0, 16).replace('T', ' ')} UTC`
  return [
    `${style.strong(`Run ${result.run_id}`)}: ${days}, profile ${result.profile}, seed ${result.seed}`,
    `Workspace ${result.workspace_id}`,
    ...(gone.length > 0 ? [`In the place of ${gone.join(', ')}`] : []),
    '',
    renderTable([{ title: 'table' }, { title: 'rows', align: 'right' }, { title: '' }], rows),
    '',
    `${formatCount(result.rows_total)} new rows in ${formatDuration(result.duration_ms)} (${formatCount(result.rows_per_second)} rows/s)`,
    '',
    style.strong('What happened in these days:'),
    ...result.incidents.map(({ summary }) => `  ${summary}`),
  ].join('\n')
}

function parseSeed(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text.trim()) && Number.isSafeInteger(number)) return number
  throw new InvalidArgumentError(`--seed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`)
}

function parseScale(text: string): number {
  const factor = Number(text)
  if (text.trim() !== '' && factor > 0 && factor <= 1000) return factor
  throw new InvalidArgumentError('--scale is a number above 0 and up to 1000.')
}

function parseUuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('--workspace is a UUID, for example 8f14e45f-ceea-4e7a-9b1c-0242ac120001.')
}

/** An ISO date or time; without an offset it is UTC, whatever the machine's time zone. */
function parseAsOf(text: string): Date {
  const [, date, time, offset] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text.trim()) ?? []
  const asOf = new Date(`${date}T${time ?? '00:00'}${offset ?? 'Z'}`)
  if (date === undefined || !isRealDate(date) || Number.isNaN(asOf.getTime())) {
    throw new InvalidArgumentError('--as-of is an ISO date or time, for example 2026-11-22 or 2026-11-22T09:30:00Z.')
  }
  if (asOf.getTime() > Date.now()) throw new InvalidArgumentError('--as-of lies in the future; the history ends there.')
  return asOf
}

/** JavaScript takes 30 February for 1 March. */
function isRealDate(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date)
}

import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { resumeSeed, type SeedMode, type SeedOptions, seed } from '../../generators/seed.js'
import type { Pack } from '../../packs.js'
import { fidelityText } from '../../reports/fidelity/terminal.js'
import type { FidelityReport } from '../../validators/fidelity/report.js'
import { startOfDay, wholeDays } from '../days.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import type { ExplainFlags } from './explain.js'
import { planFaults, seedFaultsCommand } from './faults.js'
import { type ReportFlags, refuseReport, reportOn, seedFidelityCommand, writePage } from './fidelity.js'
import { generateFiles, renderFiles, type SinkFlags } from './files.js'
import { parseAsOf, parseRows, parseScale, parseSeed, parseUuid, parseWorkers } from './flags.js'
import { generatorsOf } from './generators-of.js'
import type { InferFlags } from './infer.js'
import { seedRemoveCommand } from './remove.js'
import { renderSeed } from './render.js'
import { seedRunsCommand } from './runs.js'

interface SeedFlags
  extends Pick<ExplainFlags, 'explain'>,
    Pick<InferFlags, 'infer' | 'rows' | 'output'>,
    SinkFlags,
    ReportFlags {
  readonly load?: boolean
  readonly days: number
  readonly asOf?: Date
  readonly seed: number
  readonly profile?: string
  readonly scale: number
  readonly workspace?: string
  readonly append?: boolean
  readonly replace?: boolean
  readonly resume?: boolean
  readonly workers?: number
  readonly spans?: boolean
  readonly faults?: string
  readonly faultsManifest?: string
}

export function seedCommand(): Command {
  return new Command('seed')
    .description('fill the database with believable agent traces')
    .option('--days <n>', 'length of the history in days, 1 to 3650', wholeDays, 90)
    .option('--as-of <time>', 'where the history ends, ISO date or time, UTC (default: the start of today)', parseAsOf)
    .option('--seed <n>', 'the same number gives the same rows', parseSeed, 42)
    .option(
      '--profile <name>',
      "demo, phase1 (a known run again), load (twenty demos), multi-tenant (20 workspaces), or one of the pack's own plan",
    )
    .option('--spans', 'make the steps of every trace as well, 4 to 25 each')
    .option('--scale <factor>', "multiply the profile's volume, for example 0.01", parseScale, 1)
    .option(
      '--workspace <uuid>',
      "the workspace to fill (default: the configured, the only or the demo's one)",
      parseUuid,
    )
    .option(
      '--workers <n>',
      'threads that generate and connections that load (default: as many as there are cores)',
      parseWorkers,
    )
    .option('--append', 'add a further run to the synthetic rows that are there')
    .option('--replace', 'remove the synthetic rows that are there first, and never any other')
    .option('--resume', 'go on with the run that was broken off')
    .option('--explain [table.column]', 'print the plan: tables, columns, generators and expected shares; load nothing')
    .option('--infer', 'propose a plan for the tables of the schema and print it as configuration; load nothing')
    .option('--rows <n>', 'with --infer: rows of a table that refers to others', parseRows, 1000)
    .option('--output <path>', 'with --sink: the folder to write to; with --infer: the configuration file to write')
    .option('--load', 'with --infer: load the proposed plan at once')
    .option(
      '--faults <list>',
      'plant faults for checks to find, for example duplicates,orphans=0.01 (see obs seed faults)',
    )
    .option(
      '--faults-manifest <file>',
      'where to write which rows have which fault (default: reports/faults-<run>.json)',
    )
    .option('--sink <format>', 'write files instead of a database: csv, ndjson or parquet; null keeps nothing')
    .option('--gzip', 'compress csv and ndjson')
    .option('--report <file.html>', 'compare what landed with what was declared, and write a page about it')
    .addHelpText('after', examples)
    .action(run)
    .addCommand(seedFidelityCommand())
    .addCommand(seedFaultsCommand())
    .addCommand(seedRunsCommand())
    .addCommand(seedRemoveCommand())
}

const examples = `
Examples:
  $ obs seed --days 90                                      about 420,000 traces up to today
  $ obs seed --days 30 --as-of 2026-11-22 --seed 7 --json   the same rows whenever it runs
  $ obs seed --days 90 --replace                            begin again; other rows stay as they are
  $ obs seed --days 7 --append --scale 0.5                  half a week's worth on top
  $ obs seed --profile load --days 30                       millions of rows
  $ obs seed --profile multi-tenant                         twenty workspaces, a few with most of the traffic
  $ obs seed --profile phase1 --spans                       a known run again, step by step
  $ obs seed --days 30 --sink parquet --output data/        files, and no database
  $ obs seed --days 30 --report reports/run.html            how well the rows follow what was declared
  $ obs seed --days 30 --faults duplicates,orphans=0.01     then: obs validate --score <manifest>
  $ obs seed --resume                                       go on after an interruption, a crash, a full disk
  $ obs seed --explain orders.total                         how a column is filled
  $ obs seed --infer --output obs.config.ts                 a plan for any schema, to be looked over
  $ obs seed runs                                           what was seeded, and what is unfinished

A run is loaded into tables of its own and becomes visible in one moment: it is there entirely or
not at all. What landed is read back and compared with what was generated.
Exits 0 when the run is there, 1 when it was refused, undone or broken off (or, as the message then
says, only its sums could not be refreshed), 2 when a flag cannot be used, 4 when another seed is
under way or a table stays locked, 130 when it was interrupted; --resume goes on.`

/** What the flags say when nobody gave them cannot differ from what a run was begun with. */
const resumable = ['days', 'asOf', 'seed', 'profile', 'scale'] as const

async function run(flags: SeedFlags, command: Command): Promise<void> {
  const given = resumable.filter((option) => command.getOptionValueSource(option) === 'cli')
  await action<SeedFlags, []>((invocation) => carryOut(invocation, given))(flags, command)
}

async function carryOut(
  invocation: Invocation<SeedFlags>,
  given: readonly (typeof resumable)[number][],
): Promise<void> {
  const { options, settings } = invocation
  if (options.explain !== undefined) return (await import('./explain.js')).explain(invocation)
  if (options.infer && !options.load) return (await import('./infer.js')).inferAndPrint(invocation)
  const mode = modeOf(options)
  refuseTogether(options)
  await refuseReport(options)
  const generators = await generatorsOf(options.infer ? await inferredPack(invocation) : settings.pack)
  const faults = await planFaults(generators, options)
  const { days, seed: number, profile, scale, workers, spans } = options
  const wanted: SeedOptions = {
    ...{ generators, schema: settings.pack.schema, days, seed: number, profile, scale, mode, workers, spans },
    asOf: options.asOf ?? startOfDay(new Date()),
    workspace: options.workspace ?? settings.workspace,
    faults: faults?.request,
  }
  const insisted = new Set<keyof SeedOptions>([...given, ...(mode === 'first' ? [] : (['mode'] as const))])
  const { json, text } = await generate(invocation, wanted, insisted)
  const manifest = faults?.path()
  invocation.answer({
    json: manifest === undefined ? json : { ...json, faults_manifest: manifest },
    text: manifest === undefined ? text : `${text}\n\nFaults were planted; ${manifest} says which rows have them.`,
  })
}

interface SeedAnswer {
  readonly json: object
  readonly text: string
}

/** Into the database, or into files where a sink is named. */
async function generate(
  invocation: Invocation<SeedFlags>,
  wanted: SeedOptions,
  insisted: ReadonlySet<keyof SeedOptions>,
): Promise<SeedAnswer> {
  const { options, context, style } = invocation
  if (options.sink !== undefined) {
    const files = await generateFiles(invocation, options, wanted)
    return { json: files, text: renderFiles(files, style) }
  }
  const json = await withTarget(
    invocation,
    (database) => (options.resume ? resumeSeed(database, wanted, insisted, context) : seed(database, wanted, context)),
    { purpose: 'seed', connections: 2 },
  )
  const answer = { json, text: renderSeed(json, style) }
  return options.report === undefined ? answer : withReport(invocation, answer, json.run_id)
}

async function withReport(
  invocation: Invocation<SeedFlags>,
  { json, text }: SeedAnswer,
  run: string,
): Promise<SeedAnswer> {
  const { options, style, terminal } = invocation
  const report = await withTarget(invocation, (database) => reportOn(invocation, database, run), {
    purpose: 'fidelity',
    connections: 1,
    readOnly: true,
  })
  const written = await writePage(options, report)
  const { summary, comparisons } = report
  return {
    json: { ...json, fidelity: { report: written, summary, verdicts: verdictsOf(comparisons) } },
    text: `${text}\n\n${fidelityText(report, style, terminal.width)}\n\nReport written to ${written}`,
  }
}

function verdictsOf(comparisons: FidelityReport['comparisons']): Record<string, string> {
  return Object.fromEntries(comparisons.map(({ id, verdict }) => [id, verdict]))
}

/** Flags that mean different things and cannot both be meant. */
function refuseTogether({ sink, output, gzip, report, resume, infer, faults, faultsManifest }: SeedFlags): void {
  const problem =
    sink === undefined && (gzip || (output !== undefined && !infer))
      ? '--output and --gzip are about files, and no sink was named'
      : sink !== undefined && report !== undefined
        ? '--report compares rows in a database, and --sink writes files'
        : sink !== undefined && resume
          ? '--resume goes on in a database, and --sink writes files'
          : resume && (faults !== undefined || faultsManifest !== undefined)
            ? '--resume goes on with the faults that the run was begun with'
            : undefined
  if (problem === undefined) return
  throw new UsageError(problem, {
    code: 'flags_exclude',
    hint: 'Leave one of them out; obs seed --help has examples.',
  })
}

/** A pack whose plan is read off the schema; the runs of a shipped pack are not mixed up with it. */
async function inferredPack(invocation: Invocation<SeedFlags>): Promise<Pick<Pack, 'name' | 'seed'>> {
  const [{ infer }, { specOf }] = await Promise.all([import('./infer.js'), import('../../generators/infer/infer.js')])
  const { pack } = invocation.settings
  const inferred = await infer(invocation)
  for (const { table, reason } of inferred.left) invocation.context.progress.warn(`${table} is left out: ${reason}`)
  return { name: pack.shipped ? `${pack.name}-inferred` : pack.name, seed: specOf(inferred) }
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

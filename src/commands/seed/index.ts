import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { resumeSeed, type SeedMode, type SeedOptions, seed } from '../../generators/seed.js'
import type { Pack } from '../../packs.js'
import { startOfDay, wholeDays } from '../days.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import type { ExplainFlags } from './explain.js'
import { parseAsOf, parseRows, parseScale, parseSeed, parseUuid, parseWorkers } from './flags.js'
import { generatorsOf } from './generators-of.js'
import type { InferFlags } from './infer.js'
import { seedRemoveCommand } from './remove.js'
import { renderSeed } from './render.js'
import { seedRunsCommand } from './runs.js'

interface SeedFlags extends Pick<ExplainFlags, 'explain'>, Pick<InferFlags, 'infer' | 'rows' | 'output'> {
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
}

export function seedCommand(): Command {
  return new Command('seed')
    .description('fill the database with believable agent traces')
    .option('--days <n>', 'length of the history in days, 1 to 3650', wholeDays, 90)
    .option('--as-of <time>', 'where the history ends, ISO date or time, UTC (default: the start of today)', parseAsOf)
    .option('--seed <n>', 'the same number gives the same rows', parseSeed, 42)
    .option('--profile <name>', "demo, phase1 (a known run again), load (twenty demos), or one of the pack's own plan")
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
    .option('--output <file>', 'with --infer: write the configuration to a file (.ts, .js, .mjs or .json)')
    .option('--load', 'with --infer: load the proposed plan at once')
    .addHelpText('after', examples)
    .action(run)
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
  $ obs seed --profile phase1 --spans                       a known run again, step by step
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
  const { options, settings, context } = invocation
  if (options.explain !== undefined) return (await import('./explain.js')).explain(invocation)
  if (options.infer && !options.load) return (await import('./infer.js')).inferAndPrint(invocation)
  const mode = modeOf(options)
  const generators = await generatorsOf(options.infer ? await inferredPack(invocation) : settings.pack)
  const { days, seed: number, profile, scale, workers, spans } = options
  const wanted = {
    ...{ generators, schema: settings.pack.schema, days, seed: number, profile, scale, mode, workers, spans },
    asOf: options.asOf ?? startOfDay(new Date()),
    workspace: options.workspace ?? settings.workspace,
  }
  const insisted = new Set<keyof SeedOptions>([...given, ...(mode === 'first' ? [] : (['mode'] as const))])
  const result = await withTarget(
    invocation,
    (database) => (options.resume ? resumeSeed(database, wanted, insisted, context) : seed(database, wanted, context)),
    { purpose: 'seed', connections: 2 },
  )
  invocation.answer({ json: result, text: renderSeed(result, invocation.style) })
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

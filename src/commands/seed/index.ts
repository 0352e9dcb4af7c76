import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import type { SeedPack } from '../../generators/pack.js'
import { type SeedMode, seed } from '../../generators/seed.js'
import { startOfDay, wholeDays } from '../days.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { parseAsOf, parseScale, parseSeed, parseUuid } from './flags.js'
import { renderSeed } from './render.js'

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
  invocation.answer({ json: result, text: renderSeed(result, invocation.style) })
}

/** The generators of the shipped packs; a pack of somebody's own has none. */
const generatorsByPack: Readonly<Record<string, () => Promise<SeedPack>>> = {
  observability: async () => (await import('../../generators/observability/pack.js')).observability,
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

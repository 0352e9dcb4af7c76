import { Command } from 'commander'
import type { RunContext } from '../../context.js'
import { withDatabase } from '../../database/connect.js'
import { listExtensions } from '../../database/extensions.js'
import { UsageError } from '../../errors.js'
import type { Gap } from '../../schema/gap.js'
import { type ExcludedTable, onlySchemas, type SchemaSnapshot, takeSnapshot } from '../../schema/snapshot.js'
import { action, type Invocation, targetAddress } from '../invocation.js'
import { booksOf, type CompareFlags, formatOption, outputOption, schemaOption, scratchOption } from './flags.js'
import { answerGap, checkReport } from './report.js'
import { type BuiltSchema, buildSchema } from './scratch.js'
import { parseSide, type Side } from './sides.js'

export function schemaDiffCommand(): Command {
  return new Command('diff')
    .description('say what the second of two schemas lacks, has too much and has otherwise')
    .argument('<reference>', 'what should be there: a URL, pack:<name>, pack:<name>@<version> or .')
    .argument('[actual]', 'what to compare with it (default: . , the configured database)')
    .addOption(schemaOption())
    .addOption(scratchOption())
    .addOption(formatOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs schema diff pack:observability          what the configured database lacks
  $ obs schema diff pack:observability@4 pack:observability
  $ obs schema diff postgres://localhost/staging postgres://localhost/production
  $ obs schema diff pack:app . --format markdown --output gap.md

Differences come in the order in which they are deployed, each with what it means: breaking,
risky or cosmetic. A pack is built in a scratch database. Schemas: those of the pack, else
--schema. Exits 0 when nothing differs, 1 when something does.`,
    )
    .action(action<CompareFlags, [string, string | undefined]>(runDiff))
}

async function runDiff(invocation: Invocation<CompareFlags>, first: string, second = '.'): Promise<void> {
  await checkReport(invocation.options)
  const reference = await parseSide(first, 'the first schema', invocation)
  const actual = await parseSide(second, 'the second schema', invocation)
  const { gap, schemas } = await findGap(invocation, reference, actual)
  const report = {
    reference: reference.label,
    actual: actual.label,
    gap,
    words: { missing: 'missing', extra: 'extra', different: 'different', renamed: 'renamed' },
    notes: [],
    same: `no difference in ${gap.compared} objects`,
  }
  await answerGap(invocation, report, { reference: reference.label, actual: actual.label, schemas })
}

async function findGap(
  invocation: Invocation<CompareFlags>,
  reference: Side,
  actual: Side,
): Promise<{ readonly gap: Gap; readonly schemas: readonly string[] }> {
  const { options, context, settings } = invocation
  const { compareSchemas } = await import('../../schema/compare.js')
  const { alignVersions } = await import('../../schema/align-versions.js')
  refuseOneScratchForTwo(options, reference, actual)
  const packs = [reference, actual].filter((side) => side.kind === 'pack')
  const built = await buildPacks(
    invocation,
    packs,
    [reference, actual].find((side) => side.kind === 'database'),
  )
  const made = [...built.values()].flatMap((one) => one.schemas)
  const schemas = options.schema ?? (made.length > 0 ? [...new Set(made)] : [settings.pack.schema])
  const books = [settings.pack, ...packs.map(({ pack }) => pack)].flatMap(booksOf)
  context.progress.step('comparing')
  const read = async (side: Side): Promise<SchemaSnapshot> => {
    const snapshot = built.get(side)?.snapshot
    if (snapshot) return onlySchemas(snapshot, schemas)
    return readSnapshot(side, schemas, books, context)
  }
  const wanted = await read(reference)
  const found = await alignVersions(wanted, await read(actual))
  const partitions = new Set([...built.values()].flatMap((one) => [...one.partitions]))
  return { gap: compareSchemas(wanted, found, packs.length > 0 ? { declaredPartitions: partitions } : {}), schemas }
}

type PackSide = Extract<Side, { kind: 'pack' }>
type DatabaseSide = Extract<Side, { kind: 'database' }>
type Built = BuiltSchema & { readonly partitions: ReadonlySet<string> }

/** Builds packs in the form for the database they are compared with, on its server. */
async function buildPacks(
  invocation: Invocation<CompareFlags>,
  packs: readonly PackSide[],
  other: DatabaseSide | undefined,
): Promise<ReadonlyMap<Side, Built>> {
  if (packs.length === 0) return new Map()
  const { options, context } = invocation
  const { planBuild } = await import('../../migrator/scratch/rebuild.js')
  const server = other?.address ?? (await targetAddress(invocation))
  const { platform, existing } = await withDatabase(
    server,
    context,
    async (database) => ({ platform: database.platform, existing: await listExtensions(database.sql) }),
    readOnly,
  )
  const built = new Map<Side, Built>()
  for (const side of packs) {
    const plan = await planBuild(side.pack, platform, side.version)
    const schema = await buildSchema({ server, borrowed: options.scratch }, plan, existing, context)
    built.set(side, { ...schema, partitions: plan.partitions })
  }
  return built
}

const readOnly = { connections: 1, readOnly: true, purpose: 'schema diff' } as const

function readSnapshot(
  side: Side,
  schemas: readonly string[],
  books: readonly ExcludedTable[],
  context: RunContext,
): Promise<SchemaSnapshot> {
  if (side.kind === 'pack') throw new Error('a pack is built, not read')
  return withDatabase(side.address, context, (database) => takeSnapshot(database, schemas, books), readOnly)
}

function refuseOneScratchForTwo({ scratch }: CompareFlags, reference: Side, actual: Side): void {
  if (scratch === undefined || reference.kind !== actual.kind) return
  const message =
    reference.kind === 'pack'
      ? '--scratch is one database, and two packs need two'
      : '--scratch is for packs, and there is none'
  throw new UsageError(message, { hint: 'Leave --scratch out; nothing was changed.' })
}

import { Command } from 'commander'
import { describeAddress } from '../../database/address.js'
import type { Database } from '../../database/connect.js'
import { listExtensions } from '../../database/extensions.js'
import type { ChangedSource } from '../../migrator/scratch/rebuild.js'
import type { Gap } from '../../schema/gap.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { booksOf, type CompareFlags, formatOption, outputOption, schemaOption, scratchOption } from './flags.js'
import { answerGap, checkReport } from './report.js'
import { buildSchema } from './scratch.js'

export function schemaDriftCommand(): Command {
  return new Command('drift')
    .description('compare the database with what its applied migrations say')
    .addOption(schemaOption())
    .addOption(scratchOption())
    .addOption(formatOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs schema drift
  $ obs schema drift --format markdown --output drift.md
  $ obs schema drift --scratch postgres://ci@localhost/empty

Runs the migrations that the history says are applied, in their order and form, in a scratch
database, and compares. The database itself is only read. Partitions that were made for the
data do not count, nor do versions of extensions. Exits 0 without drift, 1 with, 5 when a
migration is half done.`,
    )
    .action(action<CompareFlags, []>(runDrift))
}

async function runDrift(invocation: Invocation<CompareFlags>): Promise<void> {
  await checkReport(invocation.options)
  const found = await withTarget(invocation, (database) => findDrift(invocation, database), {
    purpose: 'schema drift',
    connections: 1,
    readOnly: true,
  })
  const { pack } = invocation.settings
  const report = {
    reference: `the ${found.migrations} applied ${found.migrations === 1 ? 'migration' : 'migrations'} of ${pack.name}`,
    actual: found.label,
    gap: found.gap,
    words: { missing: 'removed', extra: 'added', different: 'changed', renamed: 'renamed' },
    notes: [...found.changed.map(describeSource), ...nothingApplied(found)],
    same: `no drift: ${found.gap.compared} objects are what the migrations say`,
  }
  await answerGap(invocation, report, {
    pack: pack.name,
    database: found.label,
    version: found.version,
    migrations: found.migrations,
    schemas: found.schemas,
    changed_files: found.changed,
  })
}

/** How a database differs from its migrations. */
export interface Drift {
  readonly gap: Gap
  readonly label: string
  readonly schemas: readonly string[]
  /** The highest version that is applied; 0 when none is. */
  readonly version: number
  /** How many are applied. */
  readonly migrations: number
  readonly changed: readonly ChangedSource[]
}

/** Builds what the migrations say in a scratch database and compares; the database itself is only read. */
export async function findDrift(
  { settings, options, context }: Pick<Invocation<CompareFlags>, 'settings' | 'options' | 'context'>,
  database: Database,
): Promise<Drift> {
  const { planRebuild } = await import('../../migrator/scratch/rebuild.js')
  const { compareSchemas } = await import('../../schema/compare.js')
  const { alignVersions } = await import('../../schema/align-versions.js')
  const { onlySchemas, takeSnapshot } = await import('../../schema/snapshot.js')
  const { pack } = settings
  const plan = await planRebuild(database, pack)
  const place = { server: database.address, borrowed: options.scratch }
  const built = await buildSchema(place, plan, await listExtensions(database.sql), context)
  const schemas = options.schema ?? built.schemas
  const reference = onlySchemas(built.snapshot, schemas)
  context.progress.step('comparing')
  const actual = await alignVersions(reference, await takeSnapshot(database, schemas, booksOf(pack)))
  return {
    gap: compareSchemas(reference, actual, { declaredPartitions: plan.partitions, ignoreExtensionVersions: true }),
    label: describeAddress(database.address),
    schemas,
    version: Math.max(0, ...plan.steps.map((step) => step.migration.version)),
    migrations: plan.steps.length,
    changed: plan.changed,
  }
}

function describeSource({ migration, file, using }: ChangedSource): string {
  const state = file === 'missing' ? 'has no file any more' : 'changed after being applied'
  const source = using === 'history' ? 'the text that ran, from the history' : 'the file as it is now'
  return `${migration} ${state}; compared with ${source}`
}

function nothingApplied({ migrations }: Drift): readonly string[] {
  return migrations > 0 ? [] : ['no migration is applied here; obs migrate baseline adopts a database as it stands']
}

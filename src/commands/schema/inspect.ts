import { Command } from 'commander'
import type { Database } from '../../database/connect.js'
import { listSchemas } from '../../database/schemas.js'
import { UsageError } from '../../errors.js'
import type { Inspection, ObjectCounts } from '../../schema/inspect.js'
import { nearest } from '../../suggest.js'
import { formatBytes, formatCount } from '../../terminal/format.js'
import { printable } from '../../terminal/printable.js'
import { renderTable } from '../../terminal/table.js'
import { action, type Invocation, withTarget } from '../invocation.js'
import { renderPairs } from '../render-pairs.js'
import { booksOf, schemaOption } from './flags.js'

interface Options {
  readonly schema?: readonly string[]
}

export function schemaInspectCommand(): Command {
  return new Command('inspect')
    .description('count and list what is in the schema, and what is wrong with it')
    .addOption(schemaOption())
    .addHelpText(
      'after',
      `
Examples:
  $ obs schema inspect
  $ obs schema inspect --schema app --schema billing
  $ obs schema inspect --verbose                every object by name
  $ obs schema inspect --json | jq .counts

Looks at the schema of the pack unless --schema says otherwise. Only reads; exits 0 whatever
it finds. Rows are the planner's estimates, sizes include indexes and partitions.`,
    )
    .action(
      action<Options, []>(async (invocation) => {
        const { settings, options } = invocation
        const schemas = options.schema ?? [settings.pack.schema]
        const { platform, inspection } = await withTarget(
          invocation,
          (database) => inspect(invocation, database, schemas),
          {
            purpose: 'schema inspect',
            connections: 1,
            readOnly: true,
          },
        )
        const { name, displayVersion } = platform
        invocation.answer({
          json: { platform: name, server_version: displayVersion, ...inspection },
          text: inspectionText(inspection, `${name} ${displayVersion}`, invocation),
        })
      }),
    )
}

async function inspect({ settings }: Invocation<Options>, database: Database, schemas: readonly string[]) {
  refuseUnknown(await listSchemas(database.sql), schemas)
  const { inspectSchemas } = await import('../../schema/inspect.js')
  const inspection = await inspectSchemas(database, schemas, booksOf(settings.pack))
  return { platform: database.platform, inspection }
}

function refuseUnknown(known: readonly string[], schemas: readonly string[]): void {
  const unknown = schemas.find((schema) => !known.includes(schema))
  if (unknown === undefined) return
  const guess = nearest(unknown, known)
  throw new UsageError(
    `there is no schema ${JSON.stringify(unknown)}${guess ? `, did you mean ${JSON.stringify(guess)}?` : ''}`,
    {
      code: 'unknown_schema',
      hint: `Choose one of ${known.join(', ')} with --schema.`,
      details: { schema: unknown, schemas: known },
    },
  )
}

const mostTables = 20

function inspectionText(inspection: Inspection, server: string, { options, style }: Invocation<Options>): string {
  const { schemas, counts, tables, objects } = inspection
  const shown = options.verbose ? tables : tables.slice(0, mostTables)
  const more = tables.length - shown.length
  const blocks = [
    `${style.strong(schemas.map(printable).join(', '))} on ${server}`,
    renderPairs(countPairs(counts)),
    ...(tables.length > 0 ? [sizeTable(shown)] : []),
    ...(more > 0 ? [style.faint(`${more} smaller tables; --verbose shows all`)] : []),
    ...attention(inspection).map(([title, names]) => `${style.notice(title)}\n${listed(names, options.verbose)}`),
    ...(options.verbose ? [objects.map(({ kind, object }) => `${kind} ${printable(object)}`).join('\n')] : []),
  ]
  return blocks.join('\n\n')
}

function countPairs(counts: ObjectCounts): readonly (readonly [string, string])[] {
  return Object.entries(counts).map(([kind, count]) => [kind.replaceAll('_', ' '), formatCount(count)] as const)
}

function sizeTable(tables: Inspection['tables']): string {
  return renderTable(
    [
      { title: 'table' },
      { title: 'rows (about)', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'of it indexes', align: 'right' },
      { title: 'partitions', align: 'right' },
    ],
    tables.map((one) => [
      printable(`${one.schema}.${one.table}`),
      one.rows === null ? '?' : formatCount(one.rows),
      formatBytes(one.bytes),
      formatBytes(one.index_bytes),
      one.partitions === 0 ? '' : formatCount(one.partitions),
    ]),
  )
}

function attention(inspection: Inspection): readonly (readonly [string, readonly string[]])[] {
  const lists = [
    ['invalid indexes: they cost every write and serve no read', inspection.invalid_indexes],
    ['constraints never validated: older rows may break them', inspection.unvalidated_constraints],
    ['tables without a primary key', inspection.tables_without_primary_key],
    ['disabled triggers', inspection.disabled_triggers],
  ] as const
  return lists.filter(([, names]) => names.length > 0)
}

function listed(names: readonly string[], all = false): string {
  const shown = all ? names : names.slice(0, mostTables)
  const more = names.length - shown.length
  return [...shown.map((name) => `  ${printable(name)}`), ...(more > 0 ? [`  … and ${more} more`] : [])].join('\n')
}

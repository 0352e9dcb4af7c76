import { Option } from 'commander'
import { UsageError } from '../../errors.js'
import { progressTable } from '../../migrator/backfill/progress-table.js'
import { tableName as historyTable } from '../../migrator/history/history.js'
import type { Pack } from '../../packs.js'
import type { ExcludedTable } from '../../schema/snapshot.js'

/** The flags of the commands that compare. */
export interface CompareFlags {
  readonly schema?: readonly string[]
  readonly format?: 'table' | 'json' | 'markdown'
  readonly output?: string
  readonly scratch?: string
}

export function schemaOption(): Option {
  return new Option('--schema <name>', 'only this schema; may be given several times').argParser(
    (name: string, others: readonly string[] | undefined) => [...(others ?? []), parseName(name)],
  )
}

export function formatOption(): Option {
  return new Option('--format <format>', 'the form of the report (default: table)').choices([
    'table',
    'json',
    'markdown',
  ])
}

export function outputOption(): Option {
  return new Option('--output <file>', 'write the report to a file as well, whole or not at all')
}

export function scratchOption(): Option {
  return new Option(
    '--scratch <url>',
    'an empty database to run the migrations in, for a role that may not create one; it is emptied again',
  )
}

function parseName(name: string): string {
  if (name !== '') return name
  throw new UsageError('--schema names nothing', { hint: 'Write the name of a schema after --schema.' })
}

/** Where obs keeps its own books; no migration of a pack knows these tables. */
export function booksOf({ historySchema }: Pack): readonly ExcludedTable[] {
  return [
    { schema: historySchema, table: historyTable },
    { schema: historySchema, table: progressTable },
    { schema: 'obs', table: 'seed_runs' },
  ]
}

/** A pack's own schema and those that its migrations made. */
export function schemasOfPack({ schema, historySchema }: Pack, made: readonly string[]): readonly string[] {
  const own = new Set([historySchema, 'obs'])
  const found = made.filter((name) => name !== 'public' && !own.has(name))
  return [...new Set([schema, ...found])]
}

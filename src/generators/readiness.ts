import type { Session } from '../database/connect.js'
import { ObsError } from '../errors.js'
import type { SeedPack } from './pack.js'

/** The database lacks tables or columns that seeding writes; nothing was changed. */
export class SchemaNotReadyError extends ObsError {
  constructor(readonly missing: readonly string[]) {
    super(
      `the database is not migrated to what seeding needs: ${listed(missing)} ${missing.length > 1 ? 'are' : 'is'} missing`,
      {
        code: 'schema_not_ready',
        hint: 'Run obs migrate up, then seed again; nothing was changed.',
        details: { missing },
      },
    )
  }
}

/** @throws SchemaNotReadyError naming everything that is missing. */
export async function checkSchema(session: Session, pack: SeedPack, schema: string): Promise<void> {
  const columns = await session<{ table: string; column: string }[]>`
    select c.relname as table, a.attname as column
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = to_regnamespace(quote_ident(${schema})) and c.relname in ${session(Object.keys(pack.requires))}`
  const missing = Object.entries(pack.requires).flatMap(([table, required]) => {
    const present = columns.filter((row) => row.table === table).map(({ column }) => column)
    if (present.length === 0) return [table]
    return required.filter((column) => !present.includes(column)).map((column) => `${table}.${column}`)
  })
  if (missing.length > 0) throw new SchemaNotReadyError(missing)
}

function listed(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ')
}

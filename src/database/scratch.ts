import { randomBytes } from 'node:crypto'
import type { RunContext } from '../context.js'
import { codeOf, ObsError } from '../errors.js'
import { type ServerAddress, withDatabaseName } from './address.js'
import { type Database, withDatabase } from './connect.js'
import { quoteIdentifier } from './quote.js'

/** Every scratch database begins with this, so that one a killed run left behind is known for what it is. */
const prefix = 'obs_scratch_'

/**
 * Makes an empty database beside `address`, gives it to `work` and drops it whatever happens.
 *
 * It is made from template0, so that nothing of the site's own template is in it. Scratch
 * databases that a killed run left behind more than a day ago are dropped on the way.
 *
 * @throws ObsError with the code `no_scratch_database` when the role may not create one.
 */
export async function withScratchDatabase<T>(
  address: ServerAddress,
  context: RunContext,
  work: (scratch: Database) => Promise<T>,
): Promise<T> {
  const name = `${prefix}${Math.floor(Date.now() / 1000)}_${randomBytes(4).toString('hex')}`
  await onServer(address, context, async ({ sql }) => {
    await dropAbandoned(sql)
    await sql.unsafe(`create database ${quoteIdentifier(name)} template template0`).catch(explainRefusal)
  })
  try {
    return await withDatabase(withDatabaseName(address, name), context, work, { purpose: 'scratch' })
  } finally {
    await drop(address, context, name)
  }
}

function onServer<T>(
  address: ServerAddress,
  context: RunContext,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(address, context, work, { connections: 1, purpose: 'scratch databases' })
}

function explainRefusal(error: unknown): never {
  if (codeOf(error) !== '42501') throw error
  throw new ObsError('the role may not create the scratch database that this needs', {
    code: 'no_scratch_database',
    cause: error,
    hint: 'Grant it createdb (alter role … createdb), or connect as a role that has it; nothing was changed.',
  })
}

const abandonedAfterSeconds = 86_400

async function dropAbandoned(sql: Database['sql']): Promise<void> {
  const rows = await sql<{ name: string }[]>`
    select datname as name from pg_database
    where datname like ${`${prefix.replaceAll('_', '\\_')}%`} and pg_has_role(datdba, 'usage')
      and not exists (select from pg_stat_activity a where a.datname = pg_database.datname)`
  const limit = Math.floor(Date.now() / 1000) - abandonedAfterSeconds
  for (const { name } of rows) {
    if (Number(name.slice(prefix.length).split('_')[0]) < limit) {
      await sql.unsafe(`drop database if exists ${quoteIdentifier(name)}`).catch(() => undefined)
    }
  }
}

/** Also after Ctrl-C, which is why the run's own signal does not count here. */
async function drop(address: ServerAddress, { progress }: RunContext, name: string): Promise<void> {
  const context = { progress, signal: new AbortController().signal }
  const command = `drop database if exists ${quoteIdentifier(name)} with (force)`
  await onServer(address, context, ({ sql }) => sql.unsafe(command)).catch(() =>
    progress.warn(`the scratch database ${name} could not be dropped: ${command}`),
  )
}

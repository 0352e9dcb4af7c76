import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject, onTestFinished } from 'vitest'
import { quietContext } from '../../src/context.js'
import { connectionUrl, parseDatabaseUrl, type ServerAddress, withDatabaseName } from '../../src/database/address.js'
import { type Database, type Sql, withDatabase } from '../../src/database/connect.js'

export interface TestDatabase extends Database {
  /** The URL of this database, password included. */
  readonly url: string
}

/** A database of the test's own, dropped when the test is over: empty, or a copy of `template`. */
export async function testDatabase(template?: string): Promise<TestDatabase> {
  const database = await openTestDatabase(template)
  onTestFinished(() => database.close())
  return database
}

/** The same for a `beforeAll`, where the caller closes it in `afterAll`. */
export async function openTestDatabase(template = 'template0'): Promise<TestDatabase & { close(): Promise<void> }> {
  const server = serverAddress()
  const name = await createTestDatabase(template)
  const address = withDatabaseName(server, name)
  const held = hold(address)
  const database = await held.opened
  return {
    ...database,
    url: connectionUrl(address),
    close: async () => {
      await held.close()
      await onServer((sql) => sql.unsafe(`drop database if exists ${name} with (force)`))
    },
  }
}

/**
 * A database for tests to copy, filled by `work` and closed, so that nothing keeps it busy.
 * Whoever asks for it drops it in `afterAll`.
 */
export async function testTemplate(
  work: (database: Database) => Promise<void>,
): Promise<{ readonly name: string; drop(): Promise<void> }> {
  const name = await createTestDatabase('template0')
  await withDatabase(withDatabaseName(serverAddress(), name), quietContext(), work)
  return { name, drop: () => onServer(async (sql) => void (await sql.unsafe(`drop database ${name} with (force)`))) }
}

async function createTestDatabase(template: string): Promise<string> {
  const name = `obs_test_${randomBytes(6).toString('hex')}`
  // Copying files costs a tenth of what logging every page of them costs, and nothing here has to survive a crash.
  await onServer((sql) => sql.unsafe(`create database ${name} template ${template} strategy file_copy`))
  return name
}

/** The test server's address, as its superuser, in its maintenance database. */
export function serverAddress(): ServerAddress {
  return parseDatabaseUrl(inject('serverUrl'), 'the test server')
}

/** Runs `work` in the maintenance database of the test server. */
export function onServer<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  maintenance ??= postgres(inject('serverUrl'), {
    max: 1,
    idle_timeout: 5,
    onnotice: () => undefined,
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  }) as unknown as Sql
  return work(maintenance)
}

/** One connection for all tests of a worker; it closes when nobody has asked for a while. */
let maintenance: Sql | undefined

function hold(address: ServerAddress): { opened: Promise<Database>; close(): Promise<void> } {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let over: Promise<void> = Promise.resolve()
  const opened = new Promise<Database>((resolve, reject) => {
    over = withDatabase(address, quietContext(), async (database) => {
      resolve(database)
      await released
    })
    over.catch(reject)
  })
  return {
    opened,
    close: async () => {
      release()
      await over
    },
  }
}
